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


def test_the_legend_of_many_deaths_stays_inside_the_axes():
    layout = Layout(6, 4, 2)
    deaths = {rank: 10 * rank for rank in (9, 10, 11, 12, 13, 24)}
    run = HybridRun(layout, deaths, {g: [(1, 1.0), (240, 2.0)] for g in range(6)}, 240)
    timeline = draw_topology(run).axes[1]
    assert len(timeline.get_legend().get_texts()) == 12
    legend, axes = timeline.get_legend().get_window_extent(), timeline.get_window_extent()
    assert axes.x0 <= legend.x0
    assert legend.x1 <= axes.x1
    assert legend.y1 <= axes.y1
