"""One NetCDF file or Zarr store, opened through xarray, or one line that says what it is instead.

The format follows from the first bytes: NetCDF classic (`CDF` and a version), HDF5, or a folder
that holds Zarr's metadata; GRIB is read by `grib`. Times stay numbers here: `cf_time` decodes them.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from baryon.data.file_kind import HDF5, file_kind
from baryon.data.hdf5.table import require_sound
from baryon.errors import BaryonError, format_error
from baryon_climate.dataset import zarr_store
from baryon_climate.dataset.classic_netcdf import require_complete
from baryon_climate.dataset.grib import MAGIC, open_grib

EXTRA = ("xarray", "h5netcdf", "netCDF4", "zarr", "cftime", "cf-units", "scipy")
ROOT = ""


def open_dataset(path: Path) -> tuple[Any, str]:
    """Open a file or store as `xarray.Dataset`, with packed values and fill values decoded.

    Return it with the group that it is of. Raises `BaryonError` that says what the file is and
    what to do.
    """
    engine = _engine(path)
    try:
        if engine == "grib":
            return open_grib(path), ROOT
        if engine in ("scipy", "netcdf4"):
            require_complete(path)
        if engine == "h5netcdf":
            require_sound(path)
        group = _group(path, engine)
        return _open(path, engine, group), group
    except ImportError as error:
        if engine == "grib":
            raise BaryonError(
                f"{path} is a GRIB file, which needs {error.name}: pip install 'baryon[grib]', or "
                "convert it with cdo -f nc4 copy"
            ) from error
        raise BaryonError(
            f"{path} needs {error.name}; dataset=climate_netcdf needs {', '.join(EXTRA)}: "
            "pip install 'baryon[climate]'"
        ) from error


def _open(path: Path, engine: str, group: str) -> Any:
    import xarray

    # consolidated metadata may be older than the store, and warns where it is missing
    options: dict[str, Any] = {"consolidated": False} if engine == "zarr" else {}
    if group != ROOT:
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
    except ImportError:
        raise
    except Exception as error:  # each engine raises its own
        raise BaryonError(_cannot_be_read(path, engine, error)) from error


def _cannot_be_read(path: Path, engine: str, error: Exception) -> str:
    kind = "Zarr" if engine == "zarr" else "NetCDF"
    return (
        f"{path} cannot be read as {kind} ({format_error(error)}): is it complete? compare its "
        "size with the original's"
    )


def _engine(path: Path) -> str:
    """Return xarray's name of the library that reads this format."""
    if path.is_dir():
        if zarr_store.is_store(path):
            return "zarr"
        raise BaryonError(
            f"{path} is a folder but no Zarr store: give the files in it, such as {path}/*.nc"
        )
    with path.open("rb") as file:
        first = file.read(len(HDF5))
    if first[:4] in (b"CDF\1", b"CDF\2"):
        return "scipy"
    if first[:4] == b"CDF\5":  # 64-bit data, as E3SM and CAM write it through PnetCDF
        return "netcdf4"
    if first[: len(MAGIC)] == MAGIC:
        return "grib"
    if first == HDF5 or _is_hdf5_behind_a_user_block(path):
        return "h5netcdf"
    kind = file_kind(path)
    if kind is None:
        raise BaryonError(f"{path} is neither NetCDF nor Zarr: it begins with {first!r}")
    raise BaryonError(f"{path} is {kind.name}, neither NetCDF nor Zarr: {kind.advice}")


def _is_hdf5_behind_a_user_block(path: Path) -> bool:
    import h5py

    return bool(h5py.is_hdf5(path))


def _group(path: Path, engine: str) -> str:
    """Return the group that holds the fields.

    Raises `BaryonError` that lists them if several do.
    """
    if engine == "zarr":
        groups, advice = zarr_store.groups_with_arrays(path), f"give {path}/"
    elif engine == "h5netcdf":
        groups, advice = _netcdf_groups(path), "extract it with ncks -G : -g "
    else:
        return ROOT
    if ROOT in groups or not groups:
        return ROOT
    if len(groups) > 1:
        raise BaryonError(
            f"{path} holds its variables in the groups {', '.join(groups)}: take one, for example "
            f"{advice}{groups[0]}"
        )
    return groups[0]


def _netcdf_groups(path: Path) -> list[str]:
    """Return the groups of a NetCDF-4 file that hold fields of two or more dimensions.

    Raises `BaryonError` for what would be read from other files: data are a file's own.
    """
    import h5py

    groups: set[str] = set()

    def visit(name: str, member: Any) -> str | None:
        if not isinstance(member, h5py.Dataset):
            return None
        if member.ndim >= 2:
            groups.add(name.rpartition("/")[0])
        return name if member.external or member.is_virtual else None

    def visit_link(name: str, link: Any) -> str | None:
        return name if isinstance(link, h5py.ExternalLink) else None

    try:
        with h5py.File(path, "r") as file:
            elsewhere = file.visititems_links(visit_link) or file.visititems(visit)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise BaryonError(_cannot_be_read(path, "h5netcdf", error)) from error
    if elsewhere:
        raise BaryonError(
            f"{path}: {elsewhere} lies in another file, which is not read through it: give files "
            "that hold their own data (h5repack copies into one)"
        )
    return sorted(groups)
