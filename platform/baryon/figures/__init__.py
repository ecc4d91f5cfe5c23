"""Figures of one hand, for the host and for all plugins (public; docs/plugins.md shows its use).

A figure is drawn inside `style`, with colours of `colours`, and gets its sample in the title by
`label_sample` and its legend by `legend_in_headroom`. Importing this module does not import
matplotlib.
"""

from baryon.figures.colours import (
    BLACK,
    BLUE,
    CYCLE,
    GREEN,
    GREY,
    MOISTURE,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    colour_map,
)
from baryon.figures.labels import label_sample, legend_in_headroom, plain_text
from baryon.figures.saving import DOTS_PER_INCH, caption, lay_out, save, without_layout
from baryon.figures.style import band, new, style

__all__ = [
    "BLACK",
    "BLUE",
    "CYCLE",
    "DOTS_PER_INCH",
    "GREEN",
    "GREY",
    "MOISTURE",
    "ORANGE",
    "PURPLE",
    "SKY",
    "VERMILION",
    "band",
    "caption",
    "colour_map",
    "label_sample",
    "lay_out",
    "legend_in_headroom",
    "new",
    "plain_text",
    "save",
    "style",
    "without_layout",
]
