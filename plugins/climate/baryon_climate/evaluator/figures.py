"""Draw all figures, without touching matplotlib's global state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from baryon.report.figures import lay_out
from baryon_climate.evaluator.examples import Example
from baryon_climate.evaluator.plot_maps import draw_maps
from baryon_climate.evaluator.plot_performance import draw_performance
from baryon_climate.evaluator.plot_precision import draw_precision
from baryon_climate.evaluator.results import Results

_STYLE: Any = {"font.size": 10, "axes.titlesize": "medium", "figure.dpi": 150}
_LABELS = {
    "precision_recall": "Precision over recall by class, at each overlap that a hit must have",
    "performance": "Probability of detection over success ratio, with lines of equal skill",
    "maps": "Water vapour with the known boxes and those that the network found",
}


def figures(results: Results, examples: Sequence[Example]) -> dict[str, Figure]:
    """Draw the curves of precision and performance, and maps if any frames were kept."""
    with rc_context(_STYLE):
        drawn = {
            "precision_recall": draw_precision(results),
            "performance": draw_performance(results),
        }
        if examples:
            drawn["maps"] = draw_maps(examples, results.confidence)
        for name, figure in drawn.items():
            figure.set_label(_LABELS[name])
            lay_out(figure)
    return drawn
