"""An HDF5 file written anew in a layout that is read fast: atomic, and verified before it counts.

Members with rows (numbers, at least one axis) get chunks of whole samples; all else is copied.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baryon.data.hdf5.filters import DecodeError
from baryon.data.hdf5.links import LinkedFiles, one_line
from baryon.data.hdf5.table import open_file, rows_of
from baryon.errors import BaryonError
from baryon.system.atomic import atomic_write
from baryon.terminal.progress import bar
from baryon.terminal.units import size

if TYPE_CHECKING:
    import h5py

    from baryon.config.schemas import Repack

    Array = np.ndarray[Any, Any]

Read = Callable[[slice], "Array"]

MIB = 2**20
SMALL = 64 * 1024
"""Members of fewer bytes are stored in one piece, as they are read whole."""
TRIALS = 4
WORTH_IT = 0.9
"""Compression that leaves more than this share costs more than it saves."""
GZIP, SHUFFLED_GZIP, NONE, AUTO = "gzip", "shuffled-gzip", "none", "auto"


@dataclass(frozen=True)
class StorageLayout:
    """How a member is written."""

    chunk: tuple[int, ...] | None
    compression: str
    share: float = 1.0
    """Of the decoded bytes, that were left of some chunks."""

    def __str__(self) -> str:
        return f"chunks of {self.chunk}, {self.compression}" if self.chunk else "in one piece"


def repack(settings: Repack) -> dict[str, StorageLayout]:
    """Write `settings.out`; the layout of each member with rows.

    Raises `BaryonError` if `out` exists and is another file, or the copy would lose something, or
    does not read back as the original.
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
        atomic_write(target) as temporary,
    ):
        file = files.file
        members = _members(file)
        read = {name: _reader(member, files, name) for name, member in members.items()}
        layouts = {name: _layout(member, read[name], settings) for name, member in members.items()}
        _require_room(target, members, layouts)
        try:
            _write(file, temporary, members, layouts, read, settings)
        except (OSError, RuntimeError) as error:  # how HDF5 tells of a full disk
            reason = " ".join(str(error).split())
            raise BaryonError(
                f"cannot write {target}: {reason}; {source} stays as it is"
            ) from error
        after = source.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise BaryonError(f"{source} changed while it was repacked: try again when it is done")
    return layouts


def _require_room(
    target: Path, members: Mapping[str, h5py.Dataset], layouts: Mapping[str, StorageLayout]
) -> None:
    """Before anything is written: HDF5 cannot go on from a full disk, nor end in good order."""
    sizes = [len(one) * _row_bytes(one) * layouts[name].share for name, one in members.items()]
    needed, free = sum(sizes), shutil.disk_usage(target.parent).free
    if needed > free:
        raise BaryonError(
            f"out={target} needs about {size(needed)}, but {size(free)} are free there: make room "
            "or give another place"
        )


def _write(
    file: h5py.File,
    path: Path,
    members: Mapping[str, h5py.Dataset],
    layouts: Mapping[str, StorageLayout],
    read: Mapping[str, Read],
    settings: Repack,
) -> None:
    import h5py

    orders = _orders(members, settings)
    total = sum(len(member) for member in members.values())
    with h5py.File(path, "w") as copy, bar("repacking", total, "rows") as advance:
        _copy_groups(file, copy, set(members))
        for name, member in members.items():
            stored = _create(copy, name, member, layouts[name], settings.level)
            for start, rows in _blocks(member, read[name], orders[len(member)], settings):
                stored[start : start + len(rows)] = rows
                advance(len(rows))
    with open_file(path) as copy, bar("verifying", total, "rows") as advance:
        for name, member in members.items():
            by_library = read[name] if member.is_virtual else member.__getitem__
            _verify(member, by_library, copy[name], orders[len(member)], settings)
            advance(len(member))


def _members(file: h5py.File) -> dict[str, h5py.Dataset]:
    """The members with rows. Raises `BaryonError` for a file that a copy would spoil."""
    import h5py

    found: dict[str, h5py.Dataset] = {}

    def note(name: str, item: h5py.Dataset | h5py.Group) -> None:
        references = [key for key in item.attrs if item.attrs.get_id(key).dtype.kind == "O"]
        for key in references:
            if _refers(item.attrs.get_id(key).dtype):
                raise BaryonError(
                    f"{file.filename}: {name!r} refers to other objects of the file (attribute "
                    f"{key!r}), which a copy would lose: use h5repack or nccopy"
                )
        if isinstance(item, h5py.Dataset) and item.shape and item.dtype.kind in "biufc":
            found[name] = item

    file.visititems(note)
    return found


def _refers(dtype: np.dtype[Any]) -> bool:
    import h5py

    inner = h5py.check_vlen_dtype(dtype) or dtype
    return h5py.check_ref_dtype(inner) is not None


def _orders(members: Mapping[str, h5py.Dataset], settings: Repack) -> dict[int, Array | None]:
    """By number of rows, the row of the original that comes at each place; None: as it was."""
    counts = {len(member) for member in members.values()}
    if not settings.shuffle:
        return dict.fromkeys(counts)
    return {n: np.random.default_rng([settings.seed, n]).permutation(n) for n in counts}


def _copy_groups(file: h5py.Group, copy: h5py.Group, rewritten: set[str], path: str = "") -> None:
    """Groups, links, attributes, and the datasets that are not written anew."""
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


def _copy_attributes(of: Any, to: Any) -> None:
    for key in of.attrs:
        to.attrs.create(key, of.attrs[key], dtype=of.attrs.get_id(key).dtype)


def _create(
    copy: h5py.File, name: str, member: h5py.Dataset, layout: StorageLayout, level: int
) -> h5py.Dataset:
    gzip = layout.compression in (GZIP, SHUFFLED_GZIP)
    stored = copy.create_dataset(
        name,
        member.shape,
        member.dtype,
        maxshape=member.maxshape if layout.chunk else None,
        chunks=layout.chunk,
        compression="gzip" if gzip else None,
        compression_opts=level if gzip else None,
        shuffle=layout.compression == SHUFFLED_GZIP,
        fillvalue=member.fillvalue,
    )
    _copy_attributes(member, stored)
    return stored


def _layout(member: h5py.Dataset, read: Read, settings: Repack) -> StorageLayout:
    row = _row_bytes(member)
    resizable = member.maxshape != member.shape
    if row * len(member) <= SMALL and not resizable:
        return StorageLayout(None, NONE)
    rows = max(1, int(settings.chunk_mib * MIB / row))
    chunk = (max(1, min(rows, len(member))), *member.shape[1:])
    shares = _shares(member, read, chunk[0], settings.level)
    best = min(shares, key=lambda one: shares[one])
    chosen = settings.compression
    if chosen == AUTO:
        chosen = best if shares[best] < WORTH_IT else NONE
    return StorageLayout(chunk, chosen, shares[chosen])


def _row_bytes(member: h5py.Dataset) -> int:
    return int(member.dtype.itemsize * prod(member.shape[1:]))


def _shares(member: h5py.Dataset, read: Read, rows: int, level: int) -> dict[str, float]:
    """What each compression leaves of a few chunks, from all over the member."""
    starts = np.linspace(0, max(0, len(member) - rows), TRIALS).astype(int)
    chunks = [np.ascontiguousarray(read(_some(member, start, rows))) for start in starts]
    plain = max(1, sum(chunk.nbytes for chunk in chunks))

    def left(as_bytes: Callable[[Array], bytes]) -> float:
        return sum(len(zlib.compress(as_bytes(chunk), level)) for chunk in chunks) / plain

    def shuffled(chunk: Array) -> bytes:
        return chunk.view(np.uint8).reshape(-1, chunk.itemsize).T.tobytes()

    return {NONE: 1.0, GZIP: left(lambda chunk: chunk.tobytes()), SHUFFLED_GZIP: left(shuffled)}


def _some(member: h5py.Dataset, start: int, rows: int) -> slice:
    return slice(int(start), min(int(start) + rows, len(member)))


def _reader(member: h5py.Dataset, files: LinkedFiles, name: str) -> Read:
    """Raises `BaryonError` for a member that training would not read either."""
    try:
        rows = rows_of(member, files, name)
    except DecodeError as error:
        raise BaryonError(f"{files.path}: member {name!r} cannot be read ({error})") from error
    return lambda wanted: rows.read(wanted.start, wanted.stop)


def _blocks(
    member: h5py.Dataset, read: Read, order: Array | None, settings: Repack
) -> Iterator[tuple[int, Array]]:
    """The rows as they are to be written: the first one's place, and as many as fit into memory."""
    at_once = max(1, int(settings.memory_mib * MIB / 2 / max(1, _row_bytes(member))))
    for start in range(0, len(member), at_once):
        stop = min(start + at_once, len(member))
        if order is None:
            yield start, read(slice(start, stop))
        else:
            yield start, _picked(member, read, order[start:stop])


def _picked(member: h5py.Dataset, read: Read, wanted: Array) -> Array:
    """Some rows, in the order given, by one pass over the file in its own order."""
    rows = np.empty((len(wanted), *member.shape[1:]), member.dtype)
    by_row = np.argsort(wanted)
    step = member.chunks[0] if member.chunks else max(1, MIB // max(1, _row_bytes(member)))
    ends = np.searchsorted(wanted[by_row], np.arange(step, len(member) + step, step))
    begin = 0
    for number, end in enumerate(ends.tolist()):
        places = by_row[begin:end]
        if len(places):
            first = number * step
            piece = read(slice(first, min(first + step, len(member))))
            rows[places] = piece[wanted[places] - first]
        begin = end
    return rows


def _verify(
    member: h5py.Dataset, read: Read, copy: h5py.Dataset, order: Array | None, settings: Repack
) -> None:
    """Read both, by the HDF5 library unless the member is virtual.

    Raises `BaryonError` unless they are the same to the bit.
    """
    for start, rows in _blocks(member, read, order, settings):
        written = copy[start : start + len(rows)]
        if written.dtype != rows.dtype or written.tobytes() != rows.tobytes():
            raise BaryonError(
                f"{member.file.filename}: the copy of {member.name!r} differs from it in rows "
                f"{start} to {start + len(rows) - 1}: nothing was written; check the disk"
            )
