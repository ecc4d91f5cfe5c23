"""`baryon scale predict` and `baryon scale check`, in this process."""

import json

import pytest

from baryon.cli import main


def predict(*arguments):
    few = [] if "steps=200" in arguments else ["steps=40"]
    return main(["scale", "predict", "machine=cori_knl", "window=10", *few, *arguments])


def shown(capsys):
    """Everything that was said, whatever the width of the terminal."""
    said = capsys.readouterr()
    return " ".join((said.out + said.err).split())


def test_predictions_leave_a_page_figures_and_numbers(tmp_path, capsys):
    out = tmp_path / "study"
    assert predict("model=hep_cnn", "nodes=1..8", "groups=4", "servers=6", f"out={out}") == 0
    rows = json.loads((out / "predictions.json").read_text())["predictions"]
    shapes = [(row["job"]["workers"], row["job"]["groups"]) for row in rows]
    assert shapes == [*((2**n, 1) for n in range(4)), *((2**n, 4) for n in range(2, 4))]
    figures = {path.name for path in (out / "figures").glob("*.png")}
    assert figures == {"speed_up.png", "efficiency.png", "step.png", "flops.png"}
    page = (out / "report.html").read_text()
    assert "Scaling of hep_cnn on cori_knl" in page
    assert "reported: nersc.gov" in page
    said = shown(capsys)
    assert "fastest: hybrid on 8 nodes in 4 groups and 6 servers" in said
    assert "left out: groups=4 do not fit nodes=2" in said


@pytest.fixture
def studies(monkeypatch):
    """Studies in the place of their pages, whose figures take seconds to draw."""
    kept = []
    monkeypatch.setattr("baryon.scaling.page.write_study", lambda study, folder: kept.append(study))
    return kept


def test_strong_scaling_says_what_is_beyond_the_covered_range(studies, capsys):
    given = ["model=hep_cnn", "nodes=64,2048", "comm=sync", "group_batch=2048"]
    assert predict(*given) == 0
    said = shown(capsys)
    assert "1, 32 samples a node are outside the 2 to 8" in said
    assert "over one node that computes 2048 samples a step" in said


def test_a_rate_is_answered_by_the_fewest_nodes(studies, capsys):
    assert predict("model=hep_cnn", "rate=5000", "comm=sync", "steps=200") == 0
    (prediction,) = studies[0].predictions
    nodes = prediction.job.workers
    assert f"5,000 samples/s need {nodes} nodes with sync" in shown(capsys)
    assert prediction.samples_per_second >= 5000
    assert prediction.samples_per_second * (nodes - 1) / nodes < 5000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nodes=4"], "give model=<name or file>"),
        (["model=hep_cnn"], "give nodes=<N,...> or rate=<N>, one of them"),
        (["model=hep_cnn", "rate=1000000000"], "does not reach 1,000,000,000 samples/s"),
        (["model=hep_cnn", "nodes=8..x"], "must be a whole number"),
        (["model=hep_cnn", "nodes=8", "comm=async"], "choose from: hybrid, sync"),
        (["model=hep_cnn", "nodes=10", "comm=hybrid", "groups=4", "servers=1"], "give nodes=8 or"),
        (["model=hep_cnn", "nodes=7", "comm=hybrid", "servers=9"], "more than the 6 layers"),
        (["model=hep_cnn", "nodes=8", "batch=8", "group_batch=64"], "not both"),
        (["model=hep_cnn", "nodes=4096", "comm=sync", "group_batch=64"], "too few for a group"),
        (["model=nothing", "nodes=8"], "no network 'nothing' is described"),
    ],
)
def test_a_request_that_cannot_be_is_one_line(tmp_path, capsys, arguments, says):
    assert predict(*arguments, f"out={tmp_path / 'x'}") == 1
    error = capsys.readouterr().err.strip()
    assert says in error
    assert "\n" not in error
    assert not (tmp_path / "x").exists()


def test_the_check_shows_each_error(tmp_path, capsys):
    out = tmp_path / "check"
    assert main(["scale", "check", "machine=cori_knl", "steps=40", f"out={out}"]) == 0
    assert "held-out points: median error" in shown(capsys)
    assert len(json.loads((out / "published.json").read_text())["points"]) == 19
    assert (out / "figures" / "published.png").exists()
