import json

import pytest

from baryon.report.page import comparison_page, sweep_page
from baryon.runs import record as run_record
from baryon.runs import sweep_record
from baryon.runs.directory import RunDirectory
from baryon.runs.judgement import judge, value_with_error


@pytest.fixture
def run(tmp_path, write_run):
    """Write a run with these metrics, and read it."""

    def written(name, metrics, *, slope=0.05, judged_by=("auc",), split="test", **options):
        path = write_run(tmp_path / name, slope=slope, **options)
        answer = json.loads((path / "evaluation.json").read_text())
        answer |= {"metrics": metrics, "judged_by": list(judged_by), "split": split}
        (path / "evaluation.json").write_text(json.dumps(answer))
        return run_record.read(RunDirectory(path))

    return written


def test_the_evaluators_metric_judges_and_not_the_loss(run):
    runs = {
        "steep": run("steep", {"auc": 0.91, "auc_error": 0.01}, slope=0.2),
        "flat": run("flat", {"auc": 0.99, "auc_error": 0.01}, slope=0.01),
    }
    found = judge(runs)
    assert (found.best, found.metric, found.value) == ("flat", "auc", "0.990 ± 0.010")
    assert found.note == ""


def test_a_difference_below_its_error_is_said(run):
    runs = {
        "a": run("a", {"auc": 0.93, "auc_error": 0.03}),
        "b": run("b", {"auc": 0.95, "auc_error": 0.04}),
    }
    found = judge(runs)
    assert found.best == "b"
    assert "difference to a, 0.02, is below its error, 0.05" in found.note


def test_asymmetric_errors_count_on_the_side_of_the_other(run):
    better = {"auc": 0.95, "auc_low": 0.949, "auc_high": 0.99}
    worse = {"auc": 0.93, "auc_low": 0.80, "auc_high": 0.931}
    found = judge({"a": run("a", better), "b": run("b", worse)})
    assert (found.best, found.value, found.note) == ("a", "0.9500 +0.0400 -0.0010", "")


def test_less_may_be_better(run):
    runs = {name: run(name, {"miss": value}, judged_by=["-miss"]) for name, value in
            (("a", 0.3), ("b", 0.2))}  # fmt: skip
    assert judge(runs).best == "b"


def test_the_first_metric_that_all_know_decides(run):
    both = ("ratio", "auc")
    runs = {
        "a": run("a", {"ratio": float("nan"), "auc": 0.9}, judged_by=both),
        "b": run("b", {"ratio": 1.7, "auc": 0.8}, judged_by=both),
    }
    assert (judge(runs).best, judge(runs).metric) == ("a", "auc")


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
def test_runs_that_cannot_be_compared_have_no_best(run, tmp_path, other, why):
    one = run("one", {"auc": 0.9}, provenance={"data": {"test": "0"}})
    found = judge({"one": one, "other": run("other", {"auc": 0.99}, **other)})
    assert found.best == ""
    assert why in found.note
    page = comparison_page.page([one, run_record.read(RunDirectory(tmp_path / "other"))], tmp_path)
    assert "Best:" not in page
    assert why in page
    assert " (best)" not in page


def test_pages_show_values_with_their_errors(run, tmp_path):
    runs = [
        run("a", {"auc": 0.93, "auc_error": 0.03, "r": 1.7, "r_low": 1.5, "r_high": 1.8}),
        run("b", {"auc": 0.95, "auc_error": 0.04, "r": 1.2, "r_low": 1.1, "r_high": 1.4}),
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


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        ({"x": 0.323, "x_error": 0.03}, "0.323 ± 0.030"),
        ({"x": 0.32318}, "0.3232"),
        ({"x": float("nan"), "x_error": 0.1}, ""),
        ({"x": "0.3"}, ""),
        ({}, ""),
    ],
)
def test_value_with_error(metrics, text):
    assert value_with_error(metrics, "x") == text
