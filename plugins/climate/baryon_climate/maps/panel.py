"""A map of one frame: water vapour with the boxes over it, as the paper shows its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from baryon_climate.classes import CLASSES, SHORT
from baryon_climate.dates import date
from baryon_climate.grid import Grid
from baryon_climate.maps.coastlines import coastlines
from baryon_climate.maps.palette import CLASS_COLOURS
from baryon_climate.storms import Storms

VAPOUR = 0.0, 70.0
"""kg/m2 of the colours' ends, the same on all maps: the tropics' wettest columns have about 70."""
DARKEST = 0.65
"""Of the greys: coastlines are darker."""
NO_COASTLINES = "no coastlines: pip install 'baryon[maps]'"
CIRCLE = 360.0
Line: TypeAlias = Literal["-", "--"]


class Panel:
    """Axes for the frames of one grid, one after another."""

    def __init__(self, axes: Axes, grid: Grid) -> None:
        self.axes, self._extent = axes, extent(grid)
        self.image = axes.imshow(
            np.zeros((grid.height, grid.width), np.float32),
            origin="lower" if grid.latitude_step > 0 else "upper",
            extent=self._extent,
            cmap=ListedColormap(colormaps["Greys"](np.linspace(0, DARKEST, 256))),
            vmin=VAPOUR[0],
            vmax=VAPOUR[1],
            aspect="equal",
        )
        self._boxes: list[Any] = []
        self._draw_coastlines()
        self._label()

    def show(self, vapour: npt.NDArray[Any], title: str) -> None:
        """A frame's water vapour (H, W) in kg/m2, without any boxes."""
        for artist in self._boxes:
            artist.remove()
        self._boxes = []
        self.image.set_data(vapour)
        self.axes.set_title(title, loc="left")

    def draw(self, storms: Storms, line: Line = "-", *, scores: bool = True) -> None:
        """The boxes of storms, named by class and score or not at all."""
        for number in reversed(range(len(storms))):  # the best on top
            self._draw_box(storms, number, line, scores=scores)

    def _draw_box(self, storms: Storms, number: int, line: Line, *, scores: bool) -> None:
        left, right, _, north = self._extent
        colour = CLASS_COLOURS[storms.classes[number]]
        low, wide = storms.south[number], storms.east[number] - storms.west[number]
        text = f"{SHORT[storms.classes[number]]} {storms.scores[number]:.2f}"
        for turn in (-CIRCLE, 0.0, CIRCLE):  # a box across the edge is drawn at both of them
            west = storms.west[number] + turn
            if west + wide <= left or west >= right:
                continue
            box = Rectangle(
                (west, low),
                wide,
                storms.north[number] - low,
                fill=False,
                edgecolor=colour,
                linestyle=line,
                linewidth=1.6,
                path_effects=[withStroke(linewidth=3.0, foreground="white")],
            )
            self._boxes.append(self.axes.add_patch(box))
            if scores and left <= west:
                above = storms.north[number] < north - 6
                self._boxes.append(
                    self.axes.text(
                        west,
                        storms.north[number] if above else low,
                        text,
                        color=colour,
                        fontsize=8,
                        fontweight="bold",
                        va="bottom" if above else "top",
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
            seen = [one for one in moved if one[:, 0].max() > left and one[:, 0].min() < right]
            self.axes.add_collection(
                LineCollection(seen, colors="#1B2A33", linewidths=0.7), autolim=False
            )

    def _label(self) -> None:
        left, right, south, north = self._extent
        self.axes.set(xlim=(left, right), ylim=(south, north))
        self.axes.set_title("1979-01-01", loc="left")  # room for one
        every = 60 if right - left > 180 else 20
        places = np.arange(np.ceil(left / every) * every, right + 1e-6, every)
        self.axes.set_xticks(places, [_east(place) for place in places])
        high = np.arange(np.ceil(south / 30) * 30, north + 1e-6, 30)
        self.axes.set_yticks(high, [_north(place) for place in high])
        self.axes.tick_params(labelsize=9)


def title(seconds: int, calendar: str, *, synthetic: bool) -> str:
    """When a frame is, from seconds since 1900-01-01, and whether no climate model made it."""
    when = str(date(seconds, calendar)).replace("T", " ")[:16]
    told = "   SYNTHETIC frames, of no climate model" if synthetic else ""
    return f"{when}   ({calendar} calendar){told}"


def explain(figure: Figure, panels: Sequence[Panel]) -> None:
    """What the greys are, beside the panels."""
    figure.colorbar(
        panels[0].image,
        ax=[panel.axes for panel in panels],
        extend="max",
        aspect=28 * len(panels),
        pad=0.01,
        label="Precipitable water [kg/m$^2$]",
    )


def class_keys() -> list[Line2D]:
    """Entries of a legend."""
    return [
        Line2D([], [], color=colour, linewidth=2, label=f"{one.short}: {one.name}")
        for colour, one in zip(CLASS_COLOURS, CLASSES, strict=True)
    ]


def extent(grid: Grid) -> tuple[float, float, float, float]:
    """Degrees of the outer edges, west, east, south, north; no farther than the poles."""
    ends = grid.longitude, grid.longitude + (grid.width - 1) * grid.longitude_step
    half = abs(grid.longitude_step) / 2
    edges = np.clip(grid.latitudes(np.array([-0.5, grid.height - 0.5])), -90.0, 90.0)
    return min(ends) - half, max(ends) + half, float(min(edges)), float(max(edges))


def _east(longitude: float) -> str:
    turned = (longitude + 180.0) % CIRCLE - 180.0
    if turned in (0.0, -180.0):
        return f"{abs(turned):.0f}°"
    return f"{abs(turned):.0f}°{'E' if turned > 0 else 'W'}"


def _north(latitude: float) -> str:
    return f"{abs(latitude):.0f}°{'N' if latitude > 0 else 'S' if latitude < 0 else ''}"
