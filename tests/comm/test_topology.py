import pytest

from baryon_comm.mpi.layout import Layout
from baryon_comm.topology import HybridRun, draw_topology


@pytest.mark.parametrize("layout", [Layout(1, 1, 1), Layout(4, 6, 3), Layout(60, 160, 14)])
def test_no_text_is_cut_or_covered_whatever_the_size(layout, faults_of_figure):
    dead = [0, layout.workers - 1, layout.workers]
    run = HybridRun(
        layout,
        deaths=dict(zip(dead, (3, None, 90), strict=True)),
        staleness={g: [(50, 1.0 + g), (100, 2.0 + g)] for g in range(layout.num_groups)},
        steps=100,
    )
    figure = draw_topology(run)
    assert faults_of_figure(figure) == []
    cut = "the first of each are drawn" in figure.axes[0].get_title(loc="left")
    assert cut == (layout.num_groups > 6)


def test_a_run_of_which_nothing_was_measured_is_drawn_too(faults_of_figure):
    assert faults_of_figure(draw_topology(HybridRun(Layout(2, 1, 1)))) == []
