"""One NetCDF file or Zarr store, opened through xarray, or one line that says what it is instead.

The format follows from the first bytes: NetCDF classic (`CDF` and a version), HDF5, or a folder
that holds Zarr's metadata. Times stay numbers here: `cf_time` decodes them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from baryon.data.file_kind import file_kind
from baryon.errors import BaryonError, told

EXTRA = ("xarray", "h5netcdf", "netCDF4", "zarr", "cftime", "cf-units", "scipy")
HDF5 = b"\x89HDF\r\n\x1a\n"
ZARR_METADATA = ("zarr.json", ".zgroup", ".zmetadata", ".zarray")
OTHERS: Mapping[bytes, str] = {
    b"\x1f\x8b": "compressed with gzip, which gives no single frames: decompress it with gunzip",
    b"BZh": "compressed with bzip2: decompress it with bunzip2",
    b"\xfd7zXZ": "compressed with xz: decompress it with unxz",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard: decompress it with unzstd",
    b"PK\x03\x04": "a zip archive: unpack it",
    b"GRIB": "GRIB: convert it with cdo -f nc4 copy",
    b"\x0e\x03\x13\x01": "HDF 4: convert it with h4toh5, or with cdo -f nc4 copy",
    b"ARRAY": "of another format: give NetCDF or Zarr",
    b"<": "text (HTML or XML), as a server sends for an error or a login: download the data itself",
}
"""First bytes of what people have instead, and what to do about it."""


def open_dataset(path: Path) -> Any:
    """Open a file or store as `xarray.Dataset`, with packed values and fill values decoded.

    Raises `BaryonError` that says what the file is and what to do.
    """
    engine = _engine(path)
    group = _zarr_group(path) if engine == "zarr" else None
    dataset = _open(path, engine, group)
    if engine == "h5netcdf" and not dataset.data_vars:
        group = _only_group(path, _netcdf_groups(path), "ncks -G : -g")
        if group is not None:
            dataset.close()
            return _open(path, engine, group)
    return dataset


def _open(path: Path, engine: str, group: str | None) -> Any:
    try:
        import xarray
    except ImportError as error:
        raise BaryonError(
            f"dataset=climate_netcdf needs {', '.join(EXTRA)}: pip install 'baryon[climate]'"
        ) from error
    options: dict[str, Any] = {"consolidated": False} if engine == "zarr" else {}
    if group is not None:
        options["group"] = group
    try:
        # What xarray warns of (several fill values, times out of range) is decided here anyway.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return xarray.open_dataset(
                path,
                engine=engine,
                decode_times=False,
                decode_timedelta=False,
                chunks=None,
                cache=False,
                **options,
            )
    except Exception as error:  # each engine raises its own
        raise BaryonError(_cannot_be_read(path, engine, error)) from error


def _cannot_be_read(path: Path, engine: str, error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"{path} needs {error.name}: pip install 'baryon[climate]'"
    kind = "Zarr" if engine == "zarr" else "NetCDF"
    return (
        f"{path} cannot be read as {kind} ({told(error)}): is it complete? compare its size with "
        "the original's"
    )


def _engine(path: Path) -> str:
    """Return xarray's name of the library that reads this format."""
    if path.is_dir():
        return _zarr_engine(path)
    with path.open("rb") as file:
        first = file.read(8)
    if first[:3] == b"CDF" and first[3:4] in (b"\1", b"\2"):
        return "scipy"
    if first[:4] == b"CDF\5":  # 64-bit data, as E3SM and CAM write it through PnetCDF
        return "netcdf4"
    if first == HDF5 or _is_hdf5_behind_a_user_block(path):
        return "h5netcdf"
    raise BaryonError(f"{path} {_what_it_is(path, first)}")


def _what_it_is(path: Path, first: bytes) -> str:
    if not first:
        return "is empty (0 bytes): its download has failed, or it is still being written"
    for beginning, what in OTHERS.items():
        if first.startswith(beginning):
            return f"is {what}"
    kind = file_kind(path)
    what = f"is {kind.name}" if kind else f"begins with {first!r}"
    return f"cannot be read as NetCDF: it {what}; give NetCDF files or Zarr stores"


def _is_hdf5_behind_a_user_block(path: Path) -> bool:
    import h5py

    return bool(h5py.is_hdf5(path))


def _zarr_engine(path: Path) -> str:
    if any((path / name).is_file() for name in ZARR_METADATA):
        return "zarr"
    raise BaryonError(
        f"{path} is a folder but no Zarr store: give the files in it, such as {path}/*.nc"
    )


def _zarr_group(path: Path) -> str | None:
    """Return the group that holds the arrays: None for the store's root.

    Raises `BaryonError` if several groups hold arrays.
    """
    try:
        import zarr

        root = zarr.open(str(path), mode="r")
        if not isinstance(root, zarr.Group):
            raise BaryonError(f"{path} is one Zarr array: give the group (store) that it is in")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            members = dict(root.members(max_depth=None))
    except ImportError:
        return None  # `_open` says what is missing
    except BaryonError:
        raise
    except Exception as error:
        raise BaryonError(_cannot_be_read(path, "zarr", error)) from error
    arrays = [name for name, member in members.items() if isinstance(member, zarr.Array)]
    groups = sorted({name.rpartition("/")[0] for name in arrays})
    return None if "" in groups else _only_group(path, groups, None)


def _netcdf_groups(path: Path) -> list[str]:
    """Return the groups of a NetCDF-4 file that hold fields of two or more dimensions."""
    import h5py

    groups: set[str] = set()

    def visit(name: str, member: Any) -> None:
        if isinstance(member, h5py.Dataset) and member.ndim >= 2:
            groups.add(name.rpartition("/")[0])

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return sorted(groups - {""})


def _only_group(path: Path, groups: list[str], extract: str | None) -> str | None:
    """Return the one group. Raises `BaryonError` that lists them if there are several."""
    if len(groups) > 1:
        advice: Callable[[str], str] = (
            (lambda group: f"{extract} {group}") if extract else (lambda group: f"{path}/{group}")
        )
        raise BaryonError(
            f"{path} holds its variables in the groups {', '.join(groups)}: take one, with "
            f"{advice(groups[0])} for example"
        )
    return groups[0] if groups else None
