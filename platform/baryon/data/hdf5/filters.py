"""Decode HDF5's filters without the HDF5 library, in many threads at once.

The library decodes under one lock. These functions take no lock, and release Python's GIL while
they work. Byte layouts are those of HDF5's own filters DEFLATE (zlib format), SHUFFLE and
FLETCHER32, and of h5py's LZF.
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
Decoder = Callable[[Bytes, int], Bytes]
"""Decodes one filter: takes the stored bytes of a chunk and the decoded size, returns the bytes."""

WORDS_PER_BLOCK = 2**16
"""Words that are joined at a time: a block stays in the core's cache."""
WORD_BYTES = (1, 2, 4, 8)
"""Element sizes in bytes that are unshuffled as whole machine words."""
FLETCHER_BLOCK = 2**20
"""Words that are summed at a time: their weighted sum fits into 64 bits."""


class DecodeError(Exception):
    """Raised for a chunk, or a list of chunks, that the HDF5 library would not have written."""


def inflate(stored: Bytes, size: int) -> Bytes:
    """Decode DEFLATE with libdeflate, which takes a whole chunk and checks its Adler-32."""
    # Per core second libdeflate decoded 1,031 MB of shuffled noise, isal 907, zlib-ng 609 and zlib
    # 340 (2 virtual cores of an AMD EPYC, 2026-11-24). All of them release the GIL.
    import deflate

    try:
        return np.frombuffer(deflate.zlib_decompress(stored, size), np.uint8)
    except deflate.DeflateError as error:
        raise DecodeError(f"inflate: {error}") from error


@cache
def _lzf() -> Any:
    """Return `lzf_decompress` of the liblzf inside h5py; None where it is not exported."""
    from h5py import h5z

    function = getattr(ctypes.CDLL(h5z.__file__), "lzf_decompress", None)
    if function is not None:
        function.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_uint]
        function.restype = ctypes.c_uint
    return function


def expand_lzf(stored: Bytes, size: int) -> Bytes:
    """Decode LZF. It has no checksum: like h5py, this misses damage that keeps the length."""
    decoded = np.empty(size, np.uint8)
    count = _lzf()(stored.ctypes.data, len(stored), decoded.ctypes.data, size)
    if count != size:
        raise DecodeError(f"LZF gave {count} bytes where {size} were expected")
    return decoded


def unshuffle(item: int) -> Decoder:
    """Return a decoder of SHUFFLE for elements of `item` bytes, whose first bytes come first."""

    def undo(stored: Bytes, size: int) -> Bytes:
        if len(stored) != size:
            raise DecodeError(f"unshuffle: {len(stored)} bytes where {size} were expected")
        whole = size - size % item  # what is left over was not shuffled
        planes = stored[:whole].reshape(item, -1)
        joined = np.empty(size, np.uint8)
        joined[whole:] = stored[whole:]
        if item in WORD_BYTES:
            _join_words(planes, joined[:whole].view(f"<u{item}"))
        else:
            joined[:whole].reshape(-1, item).T[:] = planes
        return joined

    return undo


def _join_words(planes: np.ndarray[Any, Any], words: np.ndarray[Any, Any]) -> None:
    """Join byte planes to words by shifts."""
    # Five times faster than copying bytes to every `item`-th position; block by block, which stays
    # in the core's cache, another seven times for chunks of 50 MB.
    for start in range(0, len(words), WORDS_PER_BLOCK):
        block = words[start : start + WORDS_PER_BLOCK]
        block[:] = planes[-1, start : start + WORDS_PER_BLOCK]
        for plane in planes[-2::-1]:
            np.left_shift(block, 8, out=block)
            np.bitwise_or(block, plane[start : start + WORDS_PER_BLOCK], out=block)


def check_fletcher32(stored: Bytes, size: int) -> Bytes:
    """Decode FLETCHER32: compare the checksum in the last four bytes, and remove it.

    HDF5 before 1.6.3 wrote the bytes of each half in the other order; both are accepted.
    """
    data, written = stored[:-4], int.from_bytes(stored[-4:].tobytes(), "little")
    checksum = _fletcher32(data)
    swapped = (checksum & 0x00FF00FF) << 8 | (checksum & 0xFF00FF00) >> 8
    if len(stored) < 4 or written not in (checksum, swapped):
        raise DecodeError("its Fletcher-32 checksum does not match: it is damaged")
    return data


def _fletcher32(data: Bytes) -> int:
    """Compute Fletcher's two sums of big-endian 16-bit words, as `H5_checksum_fletcher32` does."""
    even = data if len(data) % 2 == 0 else np.append(data, np.uint8(0))
    words = even.view(">u2")
    first = second = 0
    for start in range(0, len(words), FLETCHER_BLOCK):
        block = words[start : start + FLETCHER_BLOCK].astype(np.uint64)
        weights = np.arange(len(block), 0, -1, dtype=np.uint64)
        second += len(block) * first + int(block @ weights)
        first += int(block.sum())
    return _fold(second) << 16 | _fold(first)


def _fold(total: int) -> int:
    """Reduce a sum modulo 65535, to 65535 rather than 0 unless nothing was summed."""
    return (total - 1) % 0xFFFF + 1 if total else 0


def decoders(stored: h5py.Dataset) -> list[Decoder | None]:
    """Return the decoder of each filter of a member, in the order of writing; None if unknown."""
    from h5py import h5z

    plist = stored.id.get_create_plist()
    filters = [plist.get_filter(number) for number in range(plist.get_nfilters())]
    known: dict[int, Decoder | None] = {
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
    """Return the bytes of an element that the shuffle filter itself has recorded."""
    return max(1, values[0]) if values else int(stored.dtype.itemsize)


def require(stored: h5py.Dataset) -> None:
    """Raise `BaryonError` for a filter that not even the HDF5 library can decode here."""
    from h5py import h5z

    plist = stored.id.get_create_plist()
    for number in range(plist.get_nfilters()):
        code, _, _, name = plist.get_filter(number)
        if not h5z.filter_avail(code) and not _brought_by_plugin(code):
            shown = name.decode(errors="replace") or "unnamed"
            raise BaryonError(
                f"{stored.file.filename}: member {stored.name!r} is stored with filter {code} "
                f"({shown}), which this HDF5 library lacks: `pip install hdf5plugin` provides the "
                "common ones"
            )


def _brought_by_plugin(code: int) -> bool:
    """Return whether the package hdf5plugin is installed and provides a filter."""
    from h5py import h5z

    if importlib.util.find_spec("hdf5plugin") is None:
        return False
    importlib.import_module("hdf5plugin")  # registers its filters with the library
    return bool(h5z.filter_avail(code))


def names(stored: h5py.Dataset) -> list[str]:
    """Return the names of a member's filters, such as `shuffle`, in the order of writing."""
    plist = stored.id.get_create_plist()
    filters = [plist.get_filter(number) for number in range(plist.get_nfilters())]
    shown = [name.decode(errors="replace").split(";")[0] for _, _, _, name in filters]
    return [name or f"filter {code}" for name, (code, *_) in zip(shown, filters, strict=True)]


def decode(stored: Bytes, size: int, steps: Sequence[Decoder | None], skipped: int) -> Bytes:
    """Decode a chunk.

    Parameters
    ----------
    stored
        Bytes of the chunk in the file.
    size
        Bytes of the decoded chunk.
    steps
        Decoder of each filter, in the order of writing.
    skipped
        HDF5's filter mask: bit i is set if filter i was left out for this chunk.

    Raises
    ------
    DecodeError
        For damaged bytes.

    """
    for number in reversed(range(len(steps))):
        decoder = steps[number]
        if not skipped >> number & 1:
            assert decoder is not None
            stored = decoder(stored, size)
    if len(stored) != size:
        raise DecodeError(f"{len(stored)} bytes where {size} were expected")
    return stored
