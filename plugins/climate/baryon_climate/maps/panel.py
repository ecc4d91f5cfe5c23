"""A map of one frame: water vapour with the boxes over it, as the paper shows its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from baryon.figures import MOISTURE, colour_map
from baryon_climate.classes import CLASSES, SHORT
from baryon_climate.dates import date
from baryon_climate.grid import Grid
from baryon_climate.maps.box_labels import FONT_SIZE, BoxLabels
from baryon_climate.maps.coastlines import coastlines
from baryon_climate.maps.palette import CLASS_COLOURS
from baryon_climate.storms import Storms

VAPOUR = 0.0, 70.0
"""kg/m2 of the colours' ends, the same on all maps: the tropics' wettest columns have about 70."""
NO_COASTLINES = "no coastlines: pip install 'baryon[maps]'"
CIRCLE = 360.0
STEPS = 60.0, 30.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1
"""Degrees between ticks."""
FEWEST = 4
"""Steps on an axis."""
Line: TypeAlias = Literal["-", "--"]


class Panel:
    """Axes for the frames of one grid, one after another."""

    def __init__(self, axes: Axes, grid: Grid) -> None:
        self.axes, self._extent = axes, extent(grid)
        self.image = axes.imshow(
            np.zeros((grid.height, grid.width), np.float32),
            origin="lower" if grid.latitude_step > 0 else "upper",
            extent=self._extent,
            cmap=colour_map(*MOISTURE),
            vmin=VAPOUR[0],
            vmax=VAPOUR[1],
            aspect="equal",
        )
        self._boxes: list[Any] = []
        figure = axes.get_figure(root=True)
        assert figure is not None
        self._labels = BoxLabels(self._extent, float(figure.get_figwidth()))
        self._draw_coastlines()
        self._label()

    def show(self, vapour: npt.NDArray[Any], title: str) -> None:
        """Show a frame's water vapour (H, W) in kg/m2, without any boxes."""
        for artist in self._boxes:
            artist.remove()
        self._boxes = []
        self._labels.clear()
        self.image.set_data(vapour)
        self.axes.set_title(title, loc="left")

    def draw(self, storms: Storms, line: Line = "-", *, scores: bool = True) -> None:
        """Draw the boxes of storms, named by class and score or not at all.

        Where there is no room for the names of all, those of the best are there.
        """
        for number in reversed(range(len(storms))):  # the best on top
            for west in self._turns(storms, number):
                self._draw_box(storms, number, west, line)
        for number in range(len(storms) if scores else 0):
            for west in self._turns(storms, number):
                self._name_box(storms, number, west)

    def _turns(self, storms: Storms, number: int) -> list[float]:
        """Return the western sides of a box on the map: two if it crosses the edge."""
        left, right, *_ = self._extent
        wide = storms.east[number] - storms.west[number]
        sides = [storms.west[number] + turn for turn in (-CIRCLE, 0.0, CIRCLE)]
        return [west for west in sides if west + wide > left and west < right]

    def _draw_box(self, storms: Storms, number: int, west: float, line: Line) -> None:
        low = storms.south[number]
        box = Rectangle(
            (west, low),
            storms.east[number] - storms.west[number],
            storms.north[number] - low,
            fill=False,
            edgecolor=CLASS_COLOURS[storms.classes[number]],
            linestyle=line,
            linewidth=1.6,
            path_effects=[withStroke(linewidth=3.0, foreground="white")],
        )
        self._boxes.append(self.axes.add_patch(box))

    def _name_box(self, storms: Storms, number: int, west: float) -> None:
        text = f"{SHORT[storms.classes[number]]} {storms.scores[number]:.2f}"
        east = west + storms.east[number] - storms.west[number]
        place = self._labels.place(text, (west, storms.south[number], east, storms.north[number]))
        if place is None:
            return
        self._boxes.append(
            self.axes.text(
                *place,
                text,
                color=CLASS_COLOURS[storms.classes[number]],
                fontsize=FONT_SIZE,
                fontweight="bold",
                va="bottom",
                clip_on=True,
                path_effects=[withStroke(linewidth=2.0, foreground="white")],
            )
        )

    def _draw_coastlines(self) -> None:
        left, right, *_ = self._extent
        lines = coastlines(fine=right - left < CIRCLE / 2)
        if lines is None:
            self.axes.text(
                0.995, 0.01, NO_COASTLINES, transform=self.axes.transAxes, ha="right",
                va="bottom", fontsize=8, color="0.35",
            )  # fmt: skip
            return
        for turn in np.arange(-CIRCLE, 2 * CIRCLE + 1, CIRCLE):
            moved = [line + np.array([turn, 0.0]) for line in lines]
            seen = [line for line in moved if line[:, 0].max() > left and line[:, 0].min() < right]
            self.axes.add_collection(
                LineCollection(seen, colors="#1B2A33", linewidths=0.7), autolim=False
            )

    def _label(self) -> None:
        left, right, south, north = self._extent
        self.axes.set(xlim=(left, right), ylim=(south, north))
        self.axes.set_title("1979-01-01", loc="left")  # room for one
        meridians, parallels = ticks(left, right), ticks(south, north)
        self.axes.set_xticks(meridians, [_east(place) for place in meridians])
        self.axes.set_yticks(parallels, [_north(place) for place in parallels])
        self.axes.tick_params(labelsize=9)


def ticks(low: float, high: float) -> npt.NDArray[np.float64]:
    """Return round degrees from `low` to `high`, `FEWEST` steps or more unless it is tiny."""
    step = next((step for step in STEPS if (high - low) / step >= FEWEST), STEPS[-1])
    return step * np.arange(np.ceil(low / step - 1e-6), np.floor(high / step + 1e-6) + 1)


def title(seconds: int, calendar: str, *, synthetic: bool) -> str:
    """Return when a frame is (from seconds since 1900-01-01), and whether it is synthetic."""
    when = str(date(seconds, calendar)).replace("T", " ")[:16]
    origin = "   SYNTHETIC frames, of no climate model" if synthetic else ""
    return f"{when}   ({calendar} calendar){origin}"


def explain(figure: Figure, panels: Sequence[Panel]) -> None:
    """Draw the scale of the colours beside the panels."""
    figure.colorbar(
        panels[0].image,
        ax=[panel.axes for panel in panels],
        extend="max",
        aspect=28 * len(panels),
        pad=0.01,
        label="Precipitable water [kg m$^{-2}$]",
    )


def class_keys() -> list[Line2D]:
    """Return the entries of a legend: a colour for each class."""
    return [
        Line2D([], [], color=colour, linewidth=2, label=f"{storm_class.short}: {storm_class.name}")
        for colour, storm_class in zip(CLASS_COLOURS, CLASSES, strict=True)
    ]


def extent(grid: Grid) -> tuple[float, float, float, float]:
    """Return the outer edges, west, east, south, north, in degrees; no farther than the poles."""
    ends = grid.longitude, grid.longitude + (grid.width - 1) * grid.longitude_step
    half = abs(grid.longitude_step) / 2
    edges = np.clip(grid.latitudes(np.array([-0.5, grid.height - 0.5])), -90.0, 90.0)
    return min(ends) - half, max(ends) + half, float(min(edges)), float(max(edges))


def _east(longitude: float) -> str:
    turned = round((longitude + 180.0) % CIRCLE - 180.0, 6)
    if turned in (0.0, -180.0):
        return f"{abs(turned):g}°"
    return f"{abs(turned):g}°{'E' if turned > 0 else 'W'}"


def _north(latitude: float) -> str:
    latitude = round(latitude, 6)
    return f"{abs(latitude):g}°{'N' if latitude > 0 else 'S' if latitude < 0 else ''}"
