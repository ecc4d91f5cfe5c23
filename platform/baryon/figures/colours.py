"""Colours that the colour-blind can tell apart, and the colour maps of fields.

Source of the named colours: M. Okabe, K. Ito, "Color Universal Design" (2008).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.colors import ListedColormap

BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
ORANGE = "#E69F00"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
BLACK = "#000000"
GREY = "#767676"
"""For guides and limits; 4.5 times as dark as white paper, so that small text can be read."""
CYCLE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)
"""Colours of the lines of a figure, in this order."""

MOISTURE = "YlGnBu", 0.0, 0.72
"""Dry is pale yellow, wet is blue. The darkest quarter is left out: coastlines are drawn on it."""


def colour_map(name: str, low: float = 0.0, high: float = 1.0) -> ListedColormap:
    """Return the part from `low` to `high` (0 to 1) of one of matplotlib's colour maps."""
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps[name](np.linspace(low, high, 256)))
