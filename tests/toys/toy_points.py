"""A split of points in two chunks, which may break its contract as a test wants."""

import numpy as np

from baryon.interfaces import Field, Split

ROWS, CHUNK = 20, 10


class Points(Split):
    """Points of two classes; `read` is applied to what is read from row `broken_from` on."""

    fields = {"inputs": Field((3,), "float32"), "label": Field((), "int64")}  # noqa: RUF012

    def __init__(self, read=None, starts=(0, CHUNK), broken_from=0):
        self._read, self._starts, self._broken_from = read, starts, broken_from

    def __len__(self):
        return ROWS

    def chunk_starts(self):
        return self._starts

    def read(self, start, stop):
        rows = np.arange(start, stop)
        points = np.stack([rows, rows**2, -rows], axis=1).astype("f4") / ROWS
        arrays = {"inputs": points, "label": rows % 2}
        return self._read(arrays) if self._read and start >= self._broken_from else arrays

    def fingerprint(self):
        return "points"
