"""Zarr stores (format 2 and 3): which group holds the arrays, and what was never written."""

from __future__ import annotations

import warnings
from pathlib import Path

from baryon.errors import BaryonError, format_error

METADATA = ("zarr.json", ".zgroup", ".zmetadata", ".zarray")


def is_store(path: Path) -> bool:
    """Return whether a folder holds the metadata of a Zarr group or array."""
    return any((path / name).is_file() for name in METADATA)


def groups_with_arrays(path: Path) -> list[str]:
    """Return the paths of the groups that hold arrays; the store's root is "".

    Raises `BaryonError` for what is no group and for metadata that cannot be read.
    """
    import zarr

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files in the store that are not Zarr's
            root = zarr.open(str(path), mode="r")
            if isinstance(root, zarr.Array):
                raise BaryonError(f"{path} is one Zarr array: give the group (store) that it is in")
            members = dict(root.members(max_depth=None))
    except BaryonError:
        raise
    except Exception as error:  # of json, zarr and numcodecs
        raise BaryonError(
            f"{path}: its Zarr metadata cannot be read ({format_error(error)})"
        ) from error
    arrays = [name for name, member in members.items() if isinstance(member, zarr.Array)]
    return sorted({name.rpartition("/")[0] for name in arrays})


def unwritten(path: Path, group: str, name: str) -> str | None:
    """Say how many chunks of an array have no file; None if all have one.

    Zarr reads such a chunk as the fill value: it may be lost, or was written as empty.
    """
    import zarr

    # counts files, not values: a chunk of fill values may have been left out on purpose
    array = zarr.open_array(str(path), path=f"{group}/{name}".strip("/"), mode="r")
    missing = array.nchunks - array.nchunks_initialized
    if not missing:
        return None
    return (
        f"{path}: {missing:,} of {array.nchunks:,} chunks of {name} are not there and are read as "
        f"the fill value {array.fill_value}: were they lost on the way?"
    )
