"""The style of all figures: one font, ticks inside on all sides, colours, bands of uncertainty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from baryon.figures.colours import CYCLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import FillBetweenPolyCollection
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_STYLE: Any = {
    # Fonts are looked up when a figure is saved, outside the style: only one that comes with
    # matplotlib is there on every machine.
    "font.family": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 10,
    "axes.labelsize": "medium",
    "axes.titlesize": "medium",
    "axes.linewidth": 0.9,
    "xaxis.labellocation": "right",
    "yaxis.labellocation": "top",
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.pad": 7,
    "ytick.major.pad": 5,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xtick.major.size": 6,
    "ytick.major.size": 6,
    "xtick.minor.size": 3,
    "ytick.minor.size": 3,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "errorbar.capsize": 2,
    "legend.frameon": False,
    "legend.fontsize": "small",
    "legend.title_fontsize": "small",
    "hatch.linewidth": 0.6,
    "figure.dpi": 150,
    "savefig.dpi": 150,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of all figures inside the block; matplotlib's own settings stay."""
    from cycler import cycler
    from matplotlib import rc_context

    with rc_context(_STYLE | {"axes.prop_cycle": cycler(color=list(CYCLE))}):
        yield


def new(width: float, height: float, caption: str) -> Figure:
    """Return an empty figure of a size in inches, laid out so that no text is cut.

    `caption` says what the figure shows; pages and alternative texts show it.
    """
    # `Figure`, not pyplot: no global state, no window, no backend of the user's.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.set_label(caption)
    return figure


def band(
    axes: Axes, x: ArrayLike, low: ArrayLike, high: ArrayLike, *, color: str, label: str = ""
) -> FillBetweenPolyCollection:
    """Draw a band of uncertainty from `low` to `high` over `x`, all (N,)."""
    drawn = axes.fill_between(x, low, high, color=color, alpha=0.25, linewidth=0)
    if label:
        drawn.set_label(label)
    return drawn
