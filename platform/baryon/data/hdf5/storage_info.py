"""Describe how an HDF5 member is stored in its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from baryon.interfaces import StorageInfo

if TYPE_CHECKING:
    import h5py


def describe(path: Path, stored: h5py.Dataset, member: str) -> StorageInfo:
    """Describe how a member of an open file is stored; `member` is its path there."""
    from baryon.data.hdf5.direct_reads import direct_read_blocker
    from baryon.data.hdf5.filters import names

    return StorageInfo(
        path=path,
        member=member,
        shape=stored.shape,
        dtype=str(stored.dtype),
        item=stored.dtype.itemsize,
        chunk=stored.chunks,
        filters=tuple(names(stored)),
        stored_bytes=stored.id.get_storage_size(),
        direct_read_blocker=direct_read_blocker(stored),
    )
