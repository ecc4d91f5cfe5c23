"""Curves of several runs in one picture, whoever wrote them."""

import json

import pytest

from baryon.report.page.overlays import MAX_RUNS, overlays
from baryon.runs import record
from baryon.runs.directory import RunDirectory

CURVE = {
    "x": [0.0, 0.5, 1.0], "y": [0.0, 0.1, 1.0], "low": [None, 0.05, 0.9], "high": [None, 0.2, 1.0],
    "x_label": "Signal efficiency", "y_label": "False-positive rate", "log": True,
}  # fmt: skip


@pytest.fixture
def read_with(write_run, tmp_path):
    """Read a run whose answer has been changed."""

    def read(name: str, **changes):
        path = write_run(tmp_path / name)
        answer = json.loads((path / "evaluation.json").read_text())
        (path / "evaluation.json").write_text(json.dumps(answer | changes))
        return record.read(RunDirectory(path))

    return read


def test_runs_with_the_same_curve_are_drawn_over_one_another(read_with):
    names = ["one", r"$\frac{ <b>", "x" * 300]
    runs = {name: read_with(str(n), curves={"roc": CURVE}) for n, name in enumerate(names)}
    (picture,) = overlays(runs)
    assert picture["caption"] == "roc of 3 runs; bands are 68 % intervals"
    assert picture["source"].startswith("data:image/png;base64,")


def test_curves_on_other_data_or_of_one_run_alone_are_not_compared(read_with):
    one = read_with("one", curves={"roc": CURVE})
    assert overlays({"one": one}) == []
    assert overlays({"one": one, "other": read_with("other", curves={})}) == []
    on_val = read_with("val", curves={"roc": CURVE}, split="val")
    assert overlays({"one": one, "val": on_val}) == []


def test_of_many_runs_the_first_are_drawn(read_with):
    run = read_with("one", curves={"roc": CURVE})
    (picture,) = overlays({f"run {n}": run for n in range(50)})
    assert picture["caption"].startswith(f"roc of {MAX_RUNS} runs")


@pytest.mark.parametrize(
    "damage",
    [
        {"x": [0.0]}, {"y": ["a", "b", "c"]}, {"log": "yes"}, {"low": [0.1]},
        {"x": [0.0] * 5000, "y": [0.0] * 5000, "low": [], "high": []}, {"x_label": 3},
    ],
)  # fmt: skip
def test_a_damaged_curve_is_left_out_and_told(read_with, damage):
    run = read_with("one", curves={"roc": CURVE | damage, "fine": CURVE})
    assert list(run.evaluation.curves) == ["fine"]
    assert "curve roc, which is damaged" in run.problems
