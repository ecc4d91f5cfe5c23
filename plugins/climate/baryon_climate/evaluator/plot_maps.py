"""Draw maps of a few frames: the known boxes and those that the network found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baryon.figures import new
from baryon_climate.evaluator.examples import Example
from baryon_climate.evaluator.frames import NETWORK, Boxes, Frame
from baryon_climate.maps.panel import Line, Panel, class_keys, explain, extent, title
from baryon_climate.storms import Storms, storms

WIDTH = 10.0
"""Inches."""
KNOWN: Line = "--"
FOUND: Line = "-"


def draw_maps(examples: Sequence[Example], confidence: float) -> Figure:
    """Draw a map of each frame: known boxes dashed, the network's from `confidence` on solid."""
    west, east, south, north = extent(examples[0].frame.grid)
    tall = WIDTH * 0.88 * (north - south) / (east - west) + 0.4
    caption = "Water vapour with known boxes and those of the network; plate carrée projection"
    figure = new(WIDTH, 0.8 + tall * len(examples), caption)
    axes = figure.subplots(len(examples), 1, squeeze=False)[:, 0]
    panels = [
        Panel(panel_axes, example.frame.grid)
        for panel_axes, example in zip(axes, examples, strict=True)
    ]
    for panel, example in zip(panels, examples, strict=True):
        frame = example.frame
        when = title(frame.time, example.calendar, synthetic=example.synthetic)
        panel.show(example.vapour, f"frame {frame.key}   {when}")
        panel.draw(_storms(frame, frame.truth), KNOWN, scores=False)
        panel.draw(_storms(frame, frame.detected[NETWORK].above(confidence)), FOUND)
    explain(figure, panels)
    lines = [
        Line2D([], [], color="black", linestyle=KNOWN, label="known"),
        Line2D([], [], color="black", linestyle=FOUND, label=f"network, score ≥ {confidence:g}"),
    ]
    figure.legend(handles=[*class_keys(), *lines], loc="outside lower center", ncols=3)
    return figure


def _storms(frame: Frame, boxes: Boxes) -> Storms:
    corners, scores = boxes.corners.astype(np.float64), boxes.scores.astype(np.float64)
    return storms(frame.key, frame.time, frame.grid, corners, boxes.classes, scores)
