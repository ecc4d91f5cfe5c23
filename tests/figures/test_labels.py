import numpy as np
import pytest

from baryon import figures

pytestmark = pytest.mark.usefixtures("laid_out")


def drawn(details="", *, name="Simulation", scale="linear", wide=6.0):
    """A curve from corner to corner, with a legend of three entries and a label."""
    with figures.style():
        figure = figures.new(wide, 4, "A curve")
        axes = figure.subplots()
        x = np.linspace(0.01, 1, 50)
        for number in range(3):
            axes.plot(x, x ** (number + 1), label=f"curve {number}")
        axes.set(xlim=(0, 1), ylim=(0.01, 1), yscale=scale, xlabel="Recall", ylabel="Precision")
        figures.legend_in_headroom(axes)
        figures.label_sample(axes, name, details)
        figures.lay_out(figure)
    return figure


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_legend_covers_no_data_and_ticks_end_with_them(scale, faults_of_figure):
    figure = drawn(scale=scale)
    assert faults_of_figure(figure) == []
    (axes,) = figure.axes
    top_of_data = axes.transData.transform((0, 1))[1]
    assert axes.get_legend().get_window_extent().y0 > top_of_data
    assert axes.get_ylim()[1] > 1
    assert max([*axes.get_yticks(), *axes.get_yticks(minor=True)]) <= 1 + 1e-9


@pytest.mark.parametrize(
    "details", ["", "5 events", r"$\sqrt{s}$ = 13 TeV, " + 4 * "a generator of long name "]
)
def test_the_label_of_the_sample_is_inside_and_on_no_other_text(details, faults_of_figure):
    assert faults_of_figure(drawn(details, wide=9.0)) == []


def test_a_name_is_text_whatever_it_holds(faults_of_figure):
    figure = drawn("3 events", name=r"$\undefined{ _a")
    assert faults_of_figure(figure) == []


def test_matplotlibs_own_settings_stay():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    drawn()
    assert dict(mpl.rcParams) == before


def test_neighbours_in_the_cycle_differ_in_brightness_or_hue_for_the_colour_blind():
    """Seen with deuteranopia (Vienot et al. 1999) no two of the colours are alike."""
    reduced = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    seen = []
    for colour in figures.CYCLE:
        rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]) ** 2.2
        seen.append(np.clip(reduced @ rgb, 0, 1) ** (1 / 2.2))
    distances = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(distances) > 0.12


def test_the_moisture_map_darkens_steadily():
    colours = figures.colour_map(*figures.MOISTURE)(np.linspace(0, 1, 32))[:, :3]
    luminance = (colours**2.2) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) < 0).all()
    assert luminance[-1] > 0.05  # coastlines, drawn over it, are darker
