"""Draw all figures, in the style of all figures and without touching matplotlib's own state."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from baryon.figures import lay_out, style
from baryon_hep.evaluator.examples import Images
from baryon_hep.evaluator.plot_images import draw_images
from baryon_hep.evaluator.plot_roc import draw_roc
from baryon_hep.evaluator.plot_scores import draw_scores
from baryon_hep.evaluator.results import Results
from baryon_hep.evaluator.sample_label import SampleLabel


def figures(
    results: Results,
    images: Mapping[int, Images],
    image_rows: str,
    eta_max: float | None,
    label: SampleLabel,
) -> dict[str, Figure]:
    """Draw the curve, the scores, and the example images, if there are any, by name."""
    with style():
        drawn = {"roc": draw_roc(results, label), "scores": draw_scores(results, label)}
        if any(images.values()):
            drawn["events"] = draw_images(results, images, image_rows, eta_max)
        for figure in drawn.values():
            # Ticks take their style from the context in which they are first laid out.
            lay_out(figure)
    return drawn
