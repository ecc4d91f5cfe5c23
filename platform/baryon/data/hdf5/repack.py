"""Rewrite an HDF5 file in a layout that is fast to read, atomically and verified.

Members with rows (numbers, at least one axis) get chunks of whole samples; the rest is copied.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baryon.data.hdf5.filters import DecodeError
from baryon.data.hdf5.links import LinkedFiles, one_line
from baryon.data.hdf5.table import open_file, row_reader
from baryon.errors import BaryonError
from baryon.system.atomic import atomic_write
from baryon.terminal.progress import bar
from baryon.terminal.units import size

if TYPE_CHECKING:
    import h5py

    from baryon.config.schemas import Repack

    Array = np.ndarray[Any, Any]

Read = Callable[[slice], "Array"]
Orders = Mapping[int, "Array | None"]

MIB = 2**20
SMALL_BYTES = 64 * 1024
"""Members up to this size are stored contiguously, as they are read whole."""
TRIALS = 4
"""Chunks of a member on which compression is tried."""
WORTHWHILE_SHARE = 0.9
"""Compression that leaves more than this share of the bytes costs more than it saves."""
GZIP, SHUFFLED_GZIP, NONE, AUTO = "gzip", "shuffled-gzip", "none", "auto"


@dataclass(frozen=True)
class StorageLayout:
    """How a member is written."""

    chunk: tuple[int, ...] | None
    """Shape of a chunk; None for contiguous storage."""
    compression: str
    stored_share: float = 1.0
    """Stored bytes per decoded byte, measured on some chunks."""

    def __str__(self) -> str:
        return f"chunks of {self.chunk}, {self.compression}" if self.chunk else "contiguous"


@dataclass(frozen=True)
class Member:
    """A member with rows of the original, and how it is read and written."""

    name: str
    dataset: h5py.Dataset
    read: Read
    layout: StorageLayout

    @property
    def stored_bytes(self) -> float:
        """Estimated bytes of its copy."""
        return len(self.dataset) * _row_bytes(self.dataset) * self.layout.stored_share


def repack(settings: Repack) -> dict[str, StorageLayout]:
    """Write `settings.out` and return the layout of each member with rows.

    Raises
    ------
    BaryonError
        If `out` exists and is another file, or the copy would lose something, or does not read
        back as the original.

    """
    source, target = Path(settings.file), Path(settings.out)
    if not source.is_file():
        raise BaryonError(f"file={source} does not exist")
    if target.exists() and not target.samefile(source):
        raise BaryonError(f"out={target} exists already: remove it or give another name")
    before = source.stat()
    with (
        closing(LinkedFiles(source, open_file)) as files,
        one_line(source, "a member"),
        atomic_write(target, "out") as temporary,
    ):
        members = [
            _prepare(name, dataset, files, settings)
            for name, dataset in _datasets_with_rows(files.file).items()
        ]
        _require_room(target, members)
        orders = _row_orders(members, settings)
        try:
            _write(files.file, temporary, members, orders, settings)
            _verify(temporary, members, orders, settings)
        except (OSError, RuntimeError) as error:  # what h5py raises on a full disk
            reason = " ".join(str(error).split())
            raise BaryonError(f"cannot write {target}: {reason}; {source} is unchanged") from error
        after = source.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise BaryonError(f"{source} changed while it was repacked: try again when it is done")
    return {member.name: member.layout for member in members}


def _prepare(name: str, dataset: h5py.Dataset, files: LinkedFiles, settings: Repack) -> Member:
    read = _reader(dataset, files, name)
    return Member(name, dataset, read, _layout(dataset, read, settings))


def _require_room(target: Path, members: Sequence[Member]) -> None:
    # Before anything is written: HDF5 can neither recover from a full disk nor close its file.
    needed = sum(member.stored_bytes for member in members)
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise BaryonError(
            f"out={target} needs about {size(needed)}, but only {size(free)} are free there: make "
            "room or give another folder"
        )


def _write(
    file: h5py.File,
    path: Path,
    members: Sequence[Member],
    orders: Orders,
    settings: Repack,
) -> None:
    import h5py

    total = sum(len(member.dataset) for member in members)
    with h5py.File(path, "w") as copy, bar("repacking", total, "rows") as advance:
        _copy_groups(file, copy, {member.name for member in members})
        for member in members:
            stored = _create(copy, member, settings.level)
            order = orders[len(member.dataset)]
            for start, rows in _blocks(member.dataset, member.read, order, settings):
                stored[start : start + len(rows)] = rows
                advance(len(rows))


def _verify(path: Path, members: Sequence[Member], orders: Orders, settings: Repack) -> None:
    """Compare the copy with the original; raise `BaryonError` unless they are equal to the bit."""
    total = sum(len(member.dataset) for member in members)
    with open_file(path) as copy, bar("verifying", total, "rows") as advance:
        for member in members:
            dataset = member.dataset
            # The library reads the original here, so that our own decoder is verified as well. It
            # would read fill values for a lost source of a virtual dataset.
            read = member.read if dataset.is_virtual else dataset.__getitem__
            for start, rows in _blocks(dataset, read, orders[len(dataset)], settings):
                _require_equal(copy[member.name], start, rows, dataset)
            advance(len(dataset))


def _require_equal(copy: h5py.Dataset, start: int, rows: Array, original: h5py.Dataset) -> None:
    written = copy[start : start + len(rows)]
    if written.dtype != rows.dtype or written.tobytes() != rows.tobytes():
        raise BaryonError(
            f"{original.file.filename}: the copy of {original.name!r} differs from it in rows "
            f"{start} to {start + len(rows) - 1}: nothing was written; check the disk"
        )


def _datasets_with_rows(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return the datasets with rows; raise `BaryonError` if a copy would lose something."""
    import h5py

    datasets: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        references = [key for key in item.attrs if item.attrs.get_id(key).dtype.kind == "O"]
        for key in references:
            if _is_reference(item.attrs.get_id(key).dtype):
                raise BaryonError(
                    f"{file.filename}: {name!r} refers to other objects of the file (attribute "
                    f"{key!r}), which a copy would lose: use h5repack or nccopy"
                )
        if isinstance(item, h5py.Dataset) and item.shape and item.dtype.kind in "biufc":
            datasets[name] = item

    file.visititems(visit)
    return datasets


def _is_reference(dtype: np.dtype[Any]) -> bool:
    import h5py

    inner = h5py.check_vlen_dtype(dtype) or dtype
    return h5py.check_ref_dtype(inner) is not None


def _row_orders(members: Sequence[Member], settings: Repack) -> Orders:
    """Return, by number of rows, the original row at each position; None to keep the order."""
    counts = {len(member.dataset) for member in members}
    if not settings.shuffle:
        return dict.fromkeys(counts)
    # Members with as many rows belong to the same samples: one permutation for all of them.
    return {n: np.random.default_rng([settings.seed, n]).permutation(n) for n in counts}


def _copy_groups(file: h5py.Group, copy: h5py.Group, rewritten: set[str], path: str = "") -> None:
    """Copy groups, links, attributes, and the datasets that are not rewritten."""
    import h5py

    _copy_attributes(file, copy)
    for name in file:
        inner, link = f"{path}{name}", file.get(name, getlink=True)
        if isinstance(link, h5py.SoftLink | h5py.ExternalLink):
            copy[name] = link
        elif isinstance(file[name], h5py.Group):
            _copy_groups(file[name], copy.create_group(name), rewritten, f"{inner}/")
        elif inner not in rewritten:
            file.copy(name, copy)


def _copy_attributes(source: Any, target: Any) -> None:
    for key in source.attrs:
        target.attrs.create(key, source.attrs[key], dtype=source.attrs.get_id(key).dtype)


def _create(copy: h5py.File, member: Member, level: int) -> h5py.Dataset:
    dataset, layout = member.dataset, member.layout
    gzip = layout.compression in (GZIP, SHUFFLED_GZIP)
    stored = copy.create_dataset(
        member.name,
        dataset.shape,
        dataset.dtype,
        maxshape=dataset.maxshape if layout.chunk else None,
        chunks=layout.chunk,
        compression="gzip" if gzip else None,
        compression_opts=level if gzip else None,
        shuffle=layout.compression == SHUFFLED_GZIP,
        fillvalue=dataset.fillvalue,
    )
    _copy_attributes(dataset, stored)
    return stored


def _layout(member: h5py.Dataset, read: Read, settings: Repack) -> StorageLayout:
    row = _row_bytes(member)
    resizable = member.maxshape != member.shape  # HDF5 resizes chunked datasets alone
    if row * len(member) <= SMALL_BYTES and not resizable:
        return StorageLayout(None, NONE)
    rows = max(1, int(settings.chunk_mib * MIB / row))
    chunk = (max(1, min(rows, len(member))), *member.shape[1:])
    shares = _stored_shares(member, read, chunk[0], settings.level)
    best = min(shares, key=lambda compression: shares[compression])
    chosen = settings.compression
    if chosen == AUTO:
        chosen = best if shares[best] < WORTHWHILE_SHARE else NONE
    return StorageLayout(chunk, chosen, shares[chosen])


def _row_bytes(member: h5py.Dataset) -> int:
    return int(member.dtype.itemsize * prod(member.shape[1:]))


def _stored_shares(member: h5py.Dataset, read: Read, rows: int, level: int) -> dict[str, float]:
    """Measure each compression on a few chunks from all over the member.

    Returns the stored bytes per decoded byte, by compression.
    """
    starts = np.linspace(0, max(0, len(member) - rows), TRIALS).astype(int)
    chunks = [np.ascontiguousarray(read(_rows_from(member, start, rows))) for start in starts]
    plain = max(1, sum(chunk.nbytes for chunk in chunks))

    def compressed(as_bytes: Callable[[Array], bytes]) -> float:
        return sum(len(zlib.compress(as_bytes(chunk), level)) for chunk in chunks) / plain

    def shuffled(chunk: Array) -> bytes:
        return chunk.view(np.uint8).reshape(-1, chunk.itemsize).T.tobytes()

    plain_share = compressed(lambda chunk: chunk.tobytes())
    return {NONE: 1.0, GZIP: plain_share, SHUFFLED_GZIP: compressed(shuffled)}


def _rows_from(member: h5py.Dataset, start: int, rows: int) -> slice:
    return slice(int(start), min(int(start) + rows, len(member)))


def _reader(member: h5py.Dataset, files: LinkedFiles, name: str) -> Read:
    """Return what reads a member; raise `BaryonError` for one that training would refuse too."""
    try:
        rows = row_reader(member, files, name)
    except DecodeError as error:
        raise BaryonError(f"{files.path}: member {name!r} cannot be read ({error})") from error
    return lambda wanted: rows.read(wanted.start, wanted.stop)


def _blocks(
    member: h5py.Dataset, read: Read, order: Array | None, settings: Repack
) -> Iterator[tuple[int, Array]]:
    """Yield blocks of rows in the order of writing, with the position of each block's first row."""
    # Half of the memory: a block and what is decoded for it are held at the same time.
    block_rows = max(1, int(settings.memory_mib * MIB / 2 / max(1, _row_bytes(member))))
    for start in range(0, len(member), block_rows):
        stop = min(start + block_rows, len(member))
        if order is None:
            yield start, read(slice(start, stop))
        else:
            yield start, _read_rows(member, read, order[start:stop])


def _read_rows(member: h5py.Dataset, read: Read, wanted: Array) -> Array:
    """Read rows in the order `wanted` by one pass over the file, so each chunk is read once."""
    rows = np.empty((len(wanted), *member.shape[1:]), member.dtype)
    by_row = np.argsort(wanted)
    step = member.chunks[0] if member.chunks else max(1, MIB // max(1, _row_bytes(member)))
    ends = np.searchsorted(wanted[by_row], np.arange(step, len(member) + step, step))
    begin = 0
    for number, end in enumerate(ends.tolist()):
        positions = by_row[begin:end]
        if len(positions):
            first = number * step
            chunk = read(slice(first, min(first + step, len(member))))
            rows[positions] = chunk[wanted[positions] - first]
        begin = end
    return rows
