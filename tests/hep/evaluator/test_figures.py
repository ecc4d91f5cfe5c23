import io

import matplotlib as mpl
import numpy as np
import pytest
import torch

from baryon.figures import without_layout
from baryon_hep.evaluator.hep_roc import HepRoc

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("laid_out")]


def figures(n=3000, psr=lambda latent, label: latent > 2.5, score=lambda x: x, size=8, **options):
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, n)
    latent = rng.normal(3.0 * label, 1.0)
    batch = {
        "inputs": torch.tensor(rng.random((n, 3, size, size)) < 0.1, dtype=torch.float32),
        "keys": torch.arange(n),
        "label": torch.tensor(label),
        "weight": torch.tensor(np.where(label, 1.0, 1e-3 ** rng.random(n))),
        "psr": torch.tensor(psr(latent, label)),
    }
    defaults = {"bootstrap": 20, "seed": 0, "minimum_effective_background": 5}
    images = {"example_images": 3, "image_rows": "phi", "eta_max": None}
    images |= {"experiment": "Simulation", "energy_tev": 13.0, "generator": "Pythia 8"}
    evaluator = HepRoc(**{**defaults, **images, **options})
    latent = torch.tensor(score(latent))
    evaluator.update(torch.stack([-latent, latent], dim=1), batch)
    return evaluator.result().figures


@pytest.fixture(scope="module")
def usual():
    return figures(psr=lambda latent, label: latent > 1.5)


def drawn(figure):
    for kind in ("png", "svg"):
        figure.savefig(io.BytesIO(), format=kind)


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_the_curve(usual):
    figure = usual["roc"]
    drawn(figure)
    axes = figure.axes[0]
    assert "Signal efficiency" in axes.get_xlabel()
    assert "false-positive rate" in axes.get_ylabel()
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")
    text = " ".join(legend(figure))
    for part in (
        "network, area",
        "statistical error",
        "< 5",
        "95 % limit",
        "cuts: efficiency",
        "network there",
        "ratio",
    ):
        assert part in text


@pytest.mark.parametrize("name", ["roc", "scores", "events"])
def test_no_text_is_cut_or_covered(usual, faults_of_figure, name):
    assert faults_of_figure(usual[name]) == []


def test_the_scores(usual):
    figure = usual["scores"]
    drawn(figure)
    axes = figure.axes[0]
    assert "log-odds" in axes.get_xlabel()
    assert axes.get_yscale() == "log"
    text = " ".join(legend(figure))
    for part in ("signal", "background", "threshold"):
        assert part in text


def test_the_curve_ends_where_the_sample_does():
    # Too little background passes the cuts: an arrow from their limit, no ratio.
    figure = figures(minimum_effective_background=100)["roc"]
    drawn(figure)
    axes = figure.axes[0]
    text = " ".join(legend(figure))
    assert "cuts, below" in text
    assert "network at 0." in text
    assert "ratio" not in text
    arrows = [label for label in axes.texts if label.arrow_patch]
    assert arrows
    # Weights from 0.001 to 1 of some 1500 events: n_eff = N <w>^2 / <w^2>.
    weight = 1e-3 ** np.linspace(0, 1, 10_001)
    effective = 1500 * weight.mean() ** 2 / (weight**2).mean()
    assert axes.get_ylim()[0] == pytest.approx(1 / (3 * effective), rel=0.1)
    assert all(arrow.xy[1] < arrow.xyann[1] for arrow in arrows)


@pytest.mark.parametrize("size", [64, 224])
def test_the_images(size):
    figure = figures(n=100, size=size)["events"]
    drawn(figure)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 6
    assert r"\eta" in panels[-1].get_xlabel()
    assert r"\phi" in panels[0].get_ylabel()
    assert {image.norm.vmax for axes in panels for image in axes.images} == {
        panels[0].images[0].norm.vmax
    }
    cells = panels[0].images[0].get_array().shape
    assert cells == ((56, 56) if size == 224 else (size, size))


@pytest.mark.parametrize(
    ("size", "eta_max", "reach"), [(64, None, 2.5), (224, None, 5.0), (64, 4.0, 4.0)]
)
def test_how_far_eta_reaches(size, eta_max, reach):
    with without_layout():
        panel = figures(n=100, size=size, eta_max=eta_max)["events"].axes[0]
    assert panel.get_xlim() == (-reach, reach)
    assert panel.get_ylim() == pytest.approx((-np.pi, np.pi))


def test_images_with_eta_rows_are_turned():
    with without_layout():
        phi, eta = (figures(n=100, image_rows=rows)["events"] for rows in ("phi", "eta"))
    first = [figure.axes[0].images[0].get_array().filled(0) for figure in (phi, eta)]
    np.testing.assert_array_equal(first[0], first[1].T)


def test_no_images_asked_for():
    with without_layout():
        assert set(figures(example_images=0)) == {"roc", "scores"}


@pytest.mark.parametrize(
    "case",
    [
        {"psr": lambda latent, label: (latent > 2.5) & (label == 1)},
        {"score": lambda x: 0 * x},
        {"score": lambda x: 50 * x},
        {"score": np.sign},
        {"psr": lambda latent, label: latent > -100},
        {"psr": lambda latent, label: (latent > 2.5) & (label == 0)},
    ],
    ids=["no background passes", "one score", "sure", "two scores", "all pass", "no signal passes"],
)
def test_odd_cases_are_drawn_without_a_warning(case):
    for figure in figures(example_images=0, **case).values():
        figure.savefig(io.BytesIO())


def test_the_global_state_of_matplotlib_is_left_alone():
    before = dict(mpl.rcParams)
    figures(n=100)
    assert dict(mpl.rcParams) == before
