"""Draw the figures in the field's style, without touching matplotlib's global state."""

from __future__ import annotations

from collections.abc import Mapping

import mplhep
from matplotlib import rc_context
from matplotlib.figure import Figure

from baryon.report.figures import lay_out
from baryon_hep.evaluator.examples import Images
from baryon_hep.evaluator.plot_images import draw_images
from baryon_hep.evaluator.plot_roc import draw_roc
from baryon_hep.evaluator.plot_scores import draw_scores
from baryon_hep.evaluator.results import Results

_STYLE = {
    **mplhep.style.ATLAS,
    # Read when the figure is written, outside this style: only fonts that come with matplotlib.
    "font.family": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 11,
    "axes.labelsize": "large",
    "axes.labelpad": 6,
    "axes.titlesize": "medium",
    "axes.autolimit_mode": "data",
    "xtick.labelsize": "medium",
    "ytick.labelsize": "medium",
    "ytick.major.size": 8,
    "ytick.minor.size": 4,
    "xtick.major.size": 8,
    "xtick.minor.size": 4,
    "lines.markersize": 6,
    "errorbar.capsize": 2,
    "legend.borderpad": 0.2,
    "legend.fontsize": 10,
    "figure.dpi": 150,
    "hatch.linewidth": 0.6,
}

_LABELS = {
    "roc": "ROC curve: background efficiency against signal efficiency, with the cuts' point",
    "scores": "Weighted score distributions of signal and background",
    "events": "Example images of both classes: calorimeter energy over eta and phi",
}


def figures(
    results: Results, images: Mapping[int, Images], image_rows: str, eta_max: float | None
) -> dict[str, Figure]:
    """Draw the curve, the scores, and the example images, if there are any, by name."""
    with rc_context(_STYLE):
        drawn = {"roc": draw_roc(results), "scores": draw_scores(results)}
        if any(images.values()):
            drawn["events"] = draw_images(results, images, image_rows, eta_max)
        for name, figure in drawn.items():
            figure.set_label(_LABELS[name])
            # Ticks take their style from the context in which they are first laid out.
            lay_out(figure)
    return drawn
