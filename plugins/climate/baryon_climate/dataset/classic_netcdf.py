"""Whether a classic NetCDF file (CDF-1, CDF-2, CDF-5) is complete.

The C library reads what lies beyond the end of such a file as zeros, without a word. Sizes are
those of the format's specification (NetCDF User's Guide, "File Format Specifications").
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from baryon.errors import BaryonError, format_error

COUNT = {"NETCDF3_CLASSIC": 4, "NETCDF3_64BIT_OFFSET": 4, "NETCDF3_64BIT_DATA": 8}
"""Bytes of a number of elements."""
OFFSET = {"NETCDF3_CLASSIC": 4, "NETCDF3_64BIT_OFFSET": 8, "NETCDF3_64BIT_DATA": 8}
TAG = 4
"""Bytes of a list's tag, and of a type."""


def require_complete(path: Path) -> None:
    """Raise `BaryonError` for a file that is shorter than its header says."""
    import netCDF4

    try:
        with netCDF4.Dataset(str(path)) as file:
            least = _header_bytes(file) + _data_bytes(file)
    except (OSError, RuntimeError, UnicodeDecodeError) as error:  # names that are no UTF-8
        raise BaryonError(
            f"{path} cannot be read as NetCDF ({format_error(error)}): is it complete?"
        ) from error
    size = path.stat().st_size
    if size < least:
        raise BaryonError(
            f"{path} is not complete: it has {size:,} bytes, its header says {least:,} at least: "
            "copy it again"
        )


def _header_bytes(file: Any) -> int:
    count = COUNT[file.data_model]
    lists = 4 + count + TAG + count + TAG + count  # magic, records; dimensions; variables
    dimensions = sum(count + _padded(len(name.encode())) + count for name in file.dimensions)
    variables = sum(
        count + _padded(len(name.encode()))
        + count * (1 + len(variable.dimensions))
        + _attributes(variable, count)
        + TAG + count + OFFSET[file.data_model]
        for name, variable in file.variables.items()
    )  # fmt: skip
    return lists + dimensions + _attributes(file, count) + variables


def _attributes(holder: Any, count: int) -> int:
    names = holder.ncattrs()
    values = (holder.getncattr(name) for name in names)
    sizes = (_padded(len(name.encode())) + 2 * count + TAG for name in names)
    return TAG + count + sum(sizes) + sum(_padded(_bytes(value)) for value in values)


def _bytes(value: Any) -> int:
    return len(value.encode()) if isinstance(value, str) else int(np.asarray(value).nbytes)


def _data_bytes(file: Any) -> int:
    """Return the bytes of all variables, without the padding between records."""
    variables: Iterable[Any] = file.variables.values()
    return sum(int(np.prod(v.shape, dtype=np.int64)) * v.dtype.itemsize for v in variables)


def _padded(length: int) -> int:
    return -(-length // 4) * 4
