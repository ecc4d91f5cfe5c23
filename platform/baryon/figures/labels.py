"""The label of the sample over a figure, and legends that cover no data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

_GAP = 0.02
"""Share of the axes' height between a legend and the highest data."""
_MOST_HEADROOM = 0.6
"""Share of the axes' height that a legend takes at most."""


def label_sample(axes: Axes, name: str, details: str) -> None:
    """Write over the axes what the data are, as particle physics does.

    Parameters
    ----------
    axes
        The uppermost axes of a figure.
    name
        Experiment or kind of data, in bold on the left: `ATLAS`, `Simulation`.
    details
        Energy, generator, sample size and the like, on the right; `$` begins mathematics.

    """
    left = axes.set_title(plain_text(name), loc="left", fontweight="bold")
    right = axes.set_title(details, loc="right", fontsize="small")
    # Two titles of one line know nothing of each other.
    used = sum(title.get_window_extent().width for title in (left, right))
    if used > 0.95 * axes.get_window_extent().width:
        right.set_text("")
        left.set(text=f"{plain_text(name)}\n{details}", fontsize="small")


def plain_text(text: str) -> str:
    """Return a text that matplotlib shows as it is, whatever it holds."""
    return text.replace("$", r"\$")


def legend_in_headroom(axes: Axes, *, columns: int = 2, **options: Any) -> Legend:
    """Put the legend inside the axes, above all data: the upper end of the y axis moves for it.

    To be called when everything is drawn and both ends of the y axis are set. Ticks in the added
    part have no labels, for a quantity may have an upper end, such as a probability.
    """
    legend = axes.legend(loc="upper left", ncols=columns, **options)
    share = legend.get_window_extent().height / axes.get_window_extent().height
    kept = 1 - min(share + _GAP, _MOST_HEADROOM)
    scale = axes.yaxis.get_transform()
    low, high = scale.transform(axes.get_ylim())
    top = scale.inverted().transform(low + (high - low) / kept)
    labelled = [tick for tick in axes.get_yticks() if _within(tick, axes.get_ylim())]
    minor = [tick for tick in axes.get_yticks(minor=True) if _within(tick, axes.get_ylim())]
    end = axes.get_ylim()[0]
    axes.set_ylim(end, float(top))
    axes.set_yticks(labelled)
    axes.set_yticks(minor, minor=True)
    return legend


def _within(tick: float, limits: tuple[float, float]) -> bool:
    margin = 1e-9 * (limits[1] - limits[0])
    return bool(limits[0] - margin <= tick <= limits[1] + margin)
