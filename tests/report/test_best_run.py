"""The best run on pages of several runs and of sweeps."""

import json

import pytest

from baryon.report.page import comparison_page, sweep_page
from baryon.runs import sweep_record


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (
            {"config": {"evaluator.name": "climate_boxes"}},
            "different evaluators (climate_boxes, he",
        ),
        ({"split": "val"}, "different splits (test, val)"),
        ({"provenance": {"data": {"test": "1"}}}, "different data"),
        ({"judged_by": []}, "no metric in common"),
    ],
)
def test_runs_that_cannot_be_compared_have_no_best_on_their_page(
    evaluated_run, tmp_path, other, why
):
    one = evaluated_run("one", {"auc": 0.9}, provenance={"data": {"test": "0"}})
    page = comparison_page.page([one, evaluated_run("other", {"auc": 0.99}, **other)], tmp_path)
    assert "Best:" not in page
    assert why in page
    assert " (best)" not in page


def test_pages_show_values_with_their_errors(evaluated_run, tmp_path):
    runs = [
        evaluated_run("a", {"auc": 0.93, "auc_error": 0.03, "r": 1.7, "r_low": 1.5, "r_high": 1.8}),
        evaluated_run("b", {"auc": 0.95, "auc_error": 0.04, "r": 1.2, "r_low": 1.1, "r_high": 1.4}),
    ]
    page = comparison_page.page(runs, tmp_path)
    assert "0.930 ± 0.030" in page
    assert "1.70 +0.10 -0.20" in page
    assert "Best: <strong>b</strong> with auc 0.95 ± 0.04" in page
    assert "is below its error" in page


def test_a_sweep_by_its_loss_names_no_best_by_it(write_sweep, tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    sweep = json.loads((folder / "sweep.json").read_text())
    sweep |= {"metric": "validation_loss", "direction": "minimize"}
    for job in sweep["jobs"]:
        job["value"] = 0.1 * (job["number"] + 1) if job["number"] < 4 else None
    (folder / "sweep.json").write_text(json.dumps(sweep))
    page = sweep_page.page(sweep_record.read(folder), folder)
    assert "Best: <strong>job 3</strong> with auc 0.920 ± 0.010" in page  # job 0 by its loss
    for number in range(4):
        path = folder / str(number) / "evaluation.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"judged_by": []}))
    page = sweep_page.page(sweep_record.read(folder), folder)
    assert "Best:" not in page
    assert " (best)" not in page
    assert "Lowest validation loss: <strong>job 0</strong>" in page
    assert "no metric in common" in page


def test_a_sweep_over_several_data_names_no_best(write_sweep, tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    page = sweep_page.page(sweep_record.read(folder), folder)
    assert "Best: <strong>job 3</strong> with auc 0.920 ± 0.010" in page
    for number in range(4):
        path = folder / str(number) / "provenance.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"data": {"test": str(number)}}))
    page = sweep_page.page(sweep_record.read(folder), folder)
    assert "Best:" not in page
    assert " (best)" not in page
    assert "Highest auc: <strong>job 3</strong> with auc 0.920 ± 0.010" in page
    assert "No best: these runs were evaluated on different data" in page
