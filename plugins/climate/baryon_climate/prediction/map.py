"""The map of a frame as a picture of its own."""

from __future__ import annotations

import io
from typing import Any

import numpy.typing as npt

from baryon.figures import lay_out, new, style
from baryon_climate.grid import Grid
from baryon_climate.maps.panel import Panel, class_keys, explain, extent
from baryon_climate.storms import Storms

WIDTH = 12.0
"""Inches, of 100 pixels."""
DOTS_PER_INCH = 100


class Map:
    """Draws the frames of one grid, always on the same figure."""

    def __init__(self, grid: Grid) -> None:
        west, east, south, north = extent(grid)
        span = (north - south) / (east - west)
        high = WIDTH * 0.88 * span + 1.0
        with style():
            self._figure = new(WIDTH, high, "Water vapour with the boxes of storms")
            self._figure.set_dpi(DOTS_PER_INCH)
            self.panel = Panel(self._figure.add_subplot(), grid)
            explain(self._figure, [self.panel])
            self._figure.legend(handles=class_keys(), loc="outside lower center", ncols=4)
            lay_out(self._figure)  # the same on every map

    def png(self, vapour: npt.NDArray[Any], storms: Storms, title: str) -> bytes:
        """Return the frame's water vapour (H, W) in kg/m2 with its boxes, as a PNG."""
        self.panel.show(vapour, title)
        self.panel.draw(storms)
        stream = io.BytesIO()
        self._figure.savefig(stream, format="png", dpi=DOTS_PER_INCH)
        return stream.getvalue()
