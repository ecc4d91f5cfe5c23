"""Draw all figures, in the style of all figures and without touching matplotlib's own state."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from baryon.figures import lay_out, style
from baryon_climate.evaluator.examples import Example
from baryon_climate.evaluator.plot_maps import draw_maps
from baryon_climate.evaluator.plot_performance import draw_performance
from baryon_climate.evaluator.plot_precision import draw_precision
from baryon_climate.evaluator.results import Results


def figures(results: Results, examples: Sequence[Example]) -> dict[str, Figure]:
    """Draw the curves of precision and performance, and maps if any frames were kept."""
    with style():
        # The first one stands beside the answer on the page of a run.
        drawn = {"maps": draw_maps(examples, results.confidence)} if examples else {}
        drawn["precision_recall"] = draw_precision(results)
        drawn["performance"] = draw_performance(results)
        for figure in drawn.values():
            lay_out(figure)
    return drawn
