"""Undoing HDF5's filters without the HDF5 library, and so in many threads at once.

HDF5 decodes under one lock. These functions hold neither it nor, while they work, Python's own.
Byte layouts are those of HDF5's own filters DEFLATE (zlib format), SHUFFLE and FLETCHER32, and of
h5py's LZF.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from baryon.errors import BaryonError

if TYPE_CHECKING:
    import h5py

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Undo = Callable[[Bytes, int], Bytes]
"""Takes the stored bytes of a chunk and the number there are decoded; gives these."""

AT_ONCE = 2**16
"""Words that are put together in one go."""
WORDS = (1, 2, 4, 8)
"""Bytes of the elements that are unshuffled as whole words."""


FLETCHER_WORDS = 2**20
"""Words that are summed in one go: their weighted sum fits into 64 bits."""


class DecodeError(Exception):
    """A chunk, or the list of chunks, is not what the HDF5 library and its filters write."""


def inflate(stored: Bytes, size: int) -> Bytes:
    """Undo DEFLATE with libdeflate, which takes a chunk whole and checks its Adler-32."""
    import deflate

    try:
        return np.frombuffer(deflate.zlib_decompress(stored, size), np.uint8)
    except deflate.DeflateError as error:
        raise DecodeError(f"inflate: {error}") from error


@cache
def _lzf() -> Any:
    """`lzf_decompress` of the liblzf that h5py brings; None where it is hidden."""
    from h5py import h5z

    function = getattr(ctypes.CDLL(h5z.__file__), "lzf_decompress", None)
    if function is not None:
        function.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_uint]
        function.restype = ctypes.c_uint
    return function


def expand_lzf(stored: Bytes, size: int) -> Bytes:
    """Undo LZF. It has no checksum: damage that keeps the length is not found, by h5py neither."""
    decoded = np.empty(size, np.uint8)
    count = _lzf()(stored.ctypes.data, len(stored), decoded.ctypes.data, size)
    if count != size:
        raise DecodeError(f"LZF gave {count} bytes where {size} were expected")
    return decoded


def unshuffle(item: int) -> Undo:
    """Undo SHUFFLE of elements of `item` bytes: first all first bytes, then all second ones, ..."""

    def undo(stored: Bytes, size: int) -> Bytes:
        if len(stored) != size:
            raise DecodeError(f"unshuffle: {len(stored)} bytes where {size} were expected")
        whole = size - size % item  # what is left over was not shuffled
        planes = stored[:whole].reshape(item, -1)
        joined = np.empty(size, np.uint8)
        joined[whole:] = stored[whole:]
        if item in WORDS:
            _join_words(planes, joined[:whole].view(f"<u{item}"))
        else:
            joined[:whole].reshape(-1, item).T[:] = planes
        return joined

    return undo


def _join_words(planes: np.ndarray[Any, Any], words: np.ndarray[Any, Any]) -> None:
    """By shifts of whole words: five times faster than copying bytes to every `item`-th place.

    So many at a time that they stay in the core's cache: seven times faster for chunks of 50 MB.
    """
    for start in range(0, len(words), AT_ONCE):
        some = words[start : start + AT_ONCE]
        some[:] = planes[-1, start : start + AT_ONCE]
        for plane in planes[-2::-1]:
            np.left_shift(some, 8, out=some)
            np.bitwise_or(some, plane[start : start + AT_ONCE], out=some)


def check_fletcher32(stored: Bytes, size: int) -> Bytes:
    """Undo FLETCHER32: compare the checksum in the last four bytes, and take it off.

    Files from before HDF5 1.6.3 have the bytes of its two halves the other way round.
    """
    data, written = stored[:-4], int.from_bytes(stored[-4:].tobytes(), "little")
    checksum = _fletcher32(data)
    swapped = (checksum & 0x00FF00FF) << 8 | (checksum & 0xFF00FF00) >> 8
    if len(stored) < 4 or written not in (checksum, swapped):
        raise DecodeError("its Fletcher-32 checksum does not fit: it is damaged")
    return data


def _fletcher32(data: Bytes) -> int:
    """Fletcher's two sums of big-endian 16-bit words, as `H5_checksum_fletcher32` folds them."""
    even = data if len(data) % 2 == 0 else np.append(data, np.uint8(0))
    words = even.view(">u2")
    first = second = 0
    for start in range(0, len(words), FLETCHER_WORDS):
        some = words[start : start + FLETCHER_WORDS].astype(np.uint64)
        weights = np.arange(len(some), 0, -1, dtype=np.uint64)
        second += len(some) * first + int(some @ weights)
        first += int(some.sum())
    return _folded(second) << 16 | _folded(first)


def _folded(total: int) -> int:
    """A sum modulo 65535 that is 65535 rather than 0, unless nothing was summed."""
    return (total - 1) % 0xFFFF + 1 if total else 0


def undoing(stored: h5py.Dataset) -> list[Undo | None]:
    """What undoes each filter of a member, in the order of writing; None where nothing here can."""
    from h5py import h5z

    plist = stored.id.get_create_plist()
    filters = [plist.get_filter(number) for number in range(plist.get_nfilters())]
    known: dict[int, Undo | None] = {
        h5z.FILTER_DEFLATE: inflate,
        h5z.FILTER_FLETCHER32: check_fletcher32,
        h5z.FILTER_LZF: expand_lzf if _lzf() else None,
    }
    return [
        unshuffle(_shuffled_bytes(stored, values))
        if code == h5z.FILTER_SHUFFLE
        else known.get(code)
        for code, _, values, _ in filters
    ]


def _shuffled_bytes(stored: h5py.Dataset, values: Sequence[int]) -> int:
    """Bytes of an element as the shuffle filter itself has them noted."""
    return max(1, values[0]) if values else int(stored.dtype.itemsize)


def require(stored: h5py.Dataset) -> None:
    """Raise `BaryonError` for a filter that nobody here can undo, not even the HDF5 library."""
    from h5py import h5z

    plist = stored.id.get_create_plist()
    for number in range(plist.get_nfilters()):
        code, _, _, name = plist.get_filter(number)
        if not h5z.filter_avail(code) and not _brought_by_plugin(code):
            shown = name.decode(errors="replace") or "unnamed"
            raise BaryonError(
                f"{stored.file.filename}: member {stored.name!r} is stored with filter {code} "
                f"({shown}), which this HDF5 library lacks: `pip install hdf5plugin` brings the "
                "usual ones"
            )


def _brought_by_plugin(code: int) -> bool:
    """Whether the package hdf5plugin is here and has it."""
    from h5py import h5z

    if importlib.util.find_spec("hdf5plugin") is None:
        return False
    importlib.import_module("hdf5plugin")  # registers its filters with the library
    return bool(h5z.filter_avail(code))


def names(stored: h5py.Dataset) -> list[str]:
    """The filters of a member, such as `shuffle`, `deflate`, in the order of writing."""
    plist = stored.id.get_create_plist()
    found = [plist.get_filter(number) for number in range(plist.get_nfilters())]
    shown = [name.decode(errors="replace").split(";")[0] for _, _, _, name in found]
    return [name or f"filter {code}" for name, (code, *_) in zip(shown, found, strict=True)]


def decode(stored: Bytes, size: int, undo: Sequence[Undo | None], skipped: int) -> Bytes:
    """A chunk's `size` decoded bytes. Bit i of `skipped`: filter i was left out for this chunk.

    Raises `DecodeError` for damaged bytes.
    """
    for number in reversed(range(len(undo))):
        step = undo[number]
        if not skipped >> number & 1:
            assert step is not None
            stored = step(stored, size)
    if len(stored) != size:
        raise DecodeError(f"{len(stored)} bytes where {size} were expected")
    return stored
