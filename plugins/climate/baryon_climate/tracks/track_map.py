"""A map of tracks, with their beginnings as dots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from baryon.figures import lay_out, new, style
from baryon_climate.classes import TC
from baryon_climate.grid import Grid
from baryon_climate.maps.palette import CLASS_COLOURS
from baryon_climate.maps.panel import Line, Panel, class_keys, extent
from baryon_climate.tracks.track import UNKNOWN, Track

WIDTH = 12.0
"""Inches."""
CIRCLE = 360.0
BEST_COLOUR = "0.15"


def draw_tracks(grid: Grid, tracks: Sequence[Track], best: Sequence[Track] = ()) -> Figure:
    """Draw tracks in the colours of their classes, and best tracks dashed, over a grid's region."""
    west, east, south, north = extent(grid)
    high = WIDTH * 0.95 * (north - south) / (east - west) + 1.0
    with style():
        figure = new(WIDTH, high, "Tracks of storms" + (" and best tracks" if best else ""))
        panel = Panel(figure.add_subplot(), grid)
        panel.image.set_visible(False)  # there is no field of all times
        panel.axes.set_title("", loc="left")
        for storm in best:
            _draw(panel, storm, BEST_COLOUR, "--")
        for track in tracks:
            kind = TC if track.kind == UNKNOWN else track.kind
            _draw(panel, track, CLASS_COLOURS[kind], "-")
        keys = class_keys()
        if best:
            keys.append(Line2D([], [], color=BEST_COLOUR, linestyle="--", label="best track"))
        figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
        lay_out(figure)
    return figure


def _draw(panel: Panel, track: Track, colour: str, style: Line) -> None:
    # a track is one line however it crosses the map's edge, so it is drawn on each turn of it
    east = np.rad2deg(np.unwrap(np.deg2rad(track.longitude)))
    for turn in (-2 * CIRCLE, -CIRCLE, 0.0, CIRCLE, 2 * CIRCLE):
        panel.axes.plot(
            east + turn,
            track.latitude,
            style,
            color=colour,
            linewidth=1.4,
            path_effects=[withStroke(linewidth=2.6, foreground="white")],
            scalex=False,
            scaley=False,
        )
        panel.axes.plot(
            east[:1] + turn, track.latitude[:1], "o", color=colour, markersize=3.5,
            scalex=False, scaley=False,
        )  # fmt: skip
