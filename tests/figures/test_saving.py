import pytest
from matplotlib.figure import Figure

from baryon.figures import lay_out, without_layout

pytestmark = pytest.mark.usefixtures("laid_out")


def left_edge(figure):
    figure.subplots().set_ylabel("a label")
    before = figure.axes[0].get_position().x0
    lay_out(figure)
    figure.draw_without_rendering()  # as when it is saved
    return before, figure.axes[0].get_position().x0


def test_a_figure_that_nobody_will_see_is_not_laid_out():
    before, after = left_edge(Figure(layout="constrained"))
    assert after < before
    with without_layout():
        before, after = left_edge(Figure(layout="constrained"))
    assert after == before
