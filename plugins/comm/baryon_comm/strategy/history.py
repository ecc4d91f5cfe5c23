"""A history by step of bounded length: what a whole run can keep in memory and show."""

from __future__ import annotations

MAX_ENTRIES = 256
"""Entries that are kept; a page shows no more."""


class History:
    """Means of a quantity over stretches of steps, which grow longer as the run goes on."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, float]] = []
        self._stretch = 1
        self._sum, self._count = 0.0, 0

    def add(self, step: int, value: float) -> None:
        """Note the value of a step, counted from one."""
        self._sum, self._count = self._sum + value, self._count + 1
        if self._count < self._stretch:
            return
        self._entries.append((step, self._sum / self._count))
        self._sum, self._count = 0.0, 0
        if len(self._entries) == MAX_ENTRIES:
            pairs = zip(self._entries[::2], self._entries[1::2], strict=True)
            self._entries = [(last, (one + other) / 2) for (_, one), (last, other) in pairs]
            self._stretch *= 2

    def entries(self) -> list[tuple[int, float]]:
        """Return the last step of each stretch with the mean, in order."""
        return list(self._entries)
