"""Water vapour with boxes over it, as the paper shows its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from baryon_climate.classes import CLASSES
from baryon_climate.evaluator.examples import Example
from baryon_climate.evaluator.frames import NETWORK, Boxes
from baryon_climate.evaluator.palette import CLASS_COLOURS
from baryon_climate.grid import Grid

Line: TypeAlias = Literal["-", "--"]
KNOWN: Line = "--"
FOUND: Line = "-"


def draw_maps(examples: Sequence[Example], confidence: float) -> Figure:
    """A map a frame: known boxes dashed, the network's from `confidence` on solid."""
    height, width = examples[0].vapour.shape
    tall = 8.5 * height / width * _stretch(examples[0].frame.grid) + 0.5
    figure = Figure(figsize=(10, 0.8 + tall * len(examples)), layout="constrained")
    panels = figure.subplots(len(examples), 1, squeeze=False)[:, 0]
    highest = max(float(example.vapour.max()) for example in examples)
    for axes, example in zip(panels, examples, strict=True):
        frame = example.frame
        extent = _extent(frame.grid)
        image = axes.imshow(
            example.vapour,
            origin="lower" if frame.grid.latitude_step > 0 else "upper",
            extent=extent,
            cmap="Greys",
            vmin=0,
            vmax=highest,
            aspect="equal",
            interpolation="nearest",
        )
        _draw_boxes(axes, frame.grid, frame.truth, KNOWN)
        _draw_boxes(axes, frame.grid, frame.found[NETWORK].above(confidence), FOUND)
        axes.set(xlim=extent[:2], ylim=sorted(extent[2:]))
        axes.set(xlabel="Longitude [degrees east]", ylabel="Latitude [degrees north]")
        axes.set_title(f"frame {frame.key}, hour {frame.time} since 1900")
    figure.colorbar(image, ax=panels, label="Precipitable water [kg/m$^2$]", aspect=40)
    _legend(figure, confidence)
    return figure


def _stretch(grid: Grid) -> float:
    return abs(grid.latitude_step / grid.longitude_step)


def _extent(grid: Grid) -> tuple[float, float, float, float]:
    """Degrees of the outer edges of the first and last columns and rows."""
    west = grid.longitude - grid.longitude_step / 2
    edges = grid.latitudes(np.array([-0.5, grid.height - 0.5]))
    return west, west + grid.width * grid.longitude_step, float(min(edges)), float(max(edges))


def _draw_boxes(axes: Axes, grid: Grid, boxes: Boxes, line: Line) -> None:
    for corners, number in zip(boxes.corners.astype(float), boxes.classes, strict=True):
        ymin, xmin, ymax, xmax = corners
        south, north = sorted(grid.latitudes(np.array([ymin, ymax])))
        wide = (xmax - xmin) * grid.longitude_step
        for turn in (0, -360) if grid.cyclic else (0,):  # again at the other end of the map
            west = grid.longitude + xmin * grid.longitude_step + turn
            axes.add_patch(
                Rectangle(
                    (west, south),
                    wide,
                    north - south,
                    fill=False,
                    edgecolor=CLASS_COLOURS[number],
                    linestyle=line,
                    linewidth=1.4 if line == FOUND else 1.1,
                )
            )


def _legend(figure: Figure, confidence: float) -> None:
    kinds = [
        Line2D([], [], color=colour, label=one.name)
        for colour, one in zip(CLASS_COLOURS, CLASSES, strict=True)
    ]
    lines = [
        Line2D([], [], color="black", linestyle=KNOWN, label="known"),
        Line2D([], [], color="black", linestyle=FOUND, label=f"network, score ≥ {confidence:g}"),
    ]
    figure.legend(handles=[*kinds, *lines], loc="outside lower center", ncols=6, fontsize="small")
