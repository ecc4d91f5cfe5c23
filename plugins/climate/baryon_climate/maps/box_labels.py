"""Where the names of boxes stand on a map, so that none is cut and none covers another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

FONT_SIZE = 8
"""Points."""
MARGIN = 2.0
"""Points around a name: its white outline, and a gap."""
AXES_WIDTH = 0.8
"""Share of a figure's width that a map takes at least, beside colours and tick labels."""
INCH = 72
"""Points."""
Rectangle = tuple[float, float, float, float]
"""Left, bottom, right and top in degrees of the map."""


@dataclass
class BoxLabels:
    """The names on one map."""

    extent: tuple[float, float, float, float]
    """West, east, south, north of the map in degrees."""
    figure_inches: float
    """Width of the figure."""
    _taken: list[Rectangle] = field(default_factory=list)

    def clear(self) -> None:
        """Forget the names: a new map begins."""
        self._taken = []

    def place(self, text: str, box: Rectangle) -> tuple[float, float] | None:
        """Return the lower left corner of a name by its box; None where there is no room for it.

        Outside the box above or below it, else inside; at its left side, else at its right side.
        """
        wide, high = self._size(text)
        for x, y in self._candidates(box, wide, high):
            rectangle = (x, y, x + wide, y + high)
            if not any(_overlap(rectangle, other) for other in self._taken):
                self._taken.append(rectangle)
                return x, y
        return None

    def _candidates(
        self, box: Rectangle, wide: float, high: float
    ) -> Iterator[tuple[float, float]]:
        west, east, south, north = self.extent
        left, bottom, right, top = (
            max(box[0], west), max(box[1], south), min(box[2], east), min(box[3], north)
        )  # fmt: skip
        for y in (top, bottom - high, top - high, bottom):
            for x in (left, right - wide):
                fitting = min(max(x, west), east - wide)
                if south <= y <= north - high:
                    yield fitting, y

    def _size(self, text: str) -> tuple[float, float]:
        """Return width and height of a name in degrees."""
        # measured without drawing the figure first
        path = TextPath((0, 0), text, size=FONT_SIZE, prop=FontProperties(weight="bold"))
        degrees = (self.extent[1] - self.extent[0]) / (AXES_WIDTH * self.figure_inches * INCH)
        return (path.get_extents().x1 + MARGIN) * degrees, (FONT_SIZE + MARGIN) * degrees


def _overlap(first: Rectangle, other: Rectangle) -> bool:
    across = first[0] < other[2] and other[0] < first[2]
    return across and first[1] < other[3] and other[1] < first[3]
