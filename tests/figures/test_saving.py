from matplotlib.figure import Figure

from baryon.figures import lay_out, without_layout


def test_a_figure_that_nobody_will_see_is_not_laid_out():
    figure = Figure(layout="constrained")
    with without_layout():
        lay_out(figure)
    assert figure.get_layout_engine() is not None
    lay_out(figure)
    assert figure.get_layout_engine() is None
