"""How a field of a split is stored in one file; what `Split.stored` tells of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from baryon.interfaces import Split

if TYPE_CHECKING:
    import h5py


@dataclass(frozen=True)
class StorageInfo:
    """One member of one file."""

    path: Path
    member: str
    shape: tuple[int, ...]
    dtype: str
    item: int
    """Bytes of one number."""
    chunk: tuple[int, ...] | None
    """None: in one piece."""
    filters: tuple[str, ...]
    stored_bytes: int
    direct_read_blocker: str
    """Why only one thread can read it; empty if many can."""

    @property
    def sample_bytes(self) -> int:
        """Decoded bytes of one sample."""
        return self.item * prod(self.shape[1:])

    @property
    def decoded_bytes(self) -> int:
        """Decoded bytes of all samples."""
        return self.sample_bytes * self.shape[0]

    @property
    def chunk_bytes(self) -> int:
        """Decoded bytes of a chunk; of one sample where there are none."""
        return self.item * prod(self.chunk) if self.chunk else self.sample_bytes


def describe(path: Path, stored: h5py.Dataset, member: str) -> StorageInfo:
    """How a member of an open file is stored; `member` is its path there."""
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


def storage_info_of(split: Split) -> Sequence[StorageInfo]:
    """What a split tells of its storage; nothing if it cannot."""
    tell = getattr(split, "stored", None)
    return tell() if tell else ()
