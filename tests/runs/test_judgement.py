"""Which of several runs is the best, and whether that can be said."""

import pytest

from baryon.runs.judgement import judge, value_with_error


def test_the_evaluators_metric_judges_and_not_the_loss(evaluated_run):
    runs = {
        "steep": evaluated_run("steep", {"auc": 0.91, "auc_error": 0.01}, slope=0.2),
        "flat": evaluated_run("flat", {"auc": 0.99, "auc_error": 0.01}, slope=0.01),
    }
    found = judge(runs)
    assert (found.best, found.metric, found.value) == ("flat", "auc", "0.990 ± 0.010")
    assert found.note == ""


def test_a_difference_below_its_error_is_said(evaluated_run):
    runs = {
        "a": evaluated_run("a", {"auc": 0.93, "auc_error": 0.03}),
        "b": evaluated_run("b", {"auc": 0.95, "auc_error": 0.04}),
    }
    found = judge(runs)
    assert found.best == "b"
    assert "difference to a, 0.02, is below its error, 0.05" in found.note


def test_asymmetric_errors_count_on_the_side_of_the_other(evaluated_run):
    better = {"auc": 0.95, "auc_low": 0.949, "auc_high": 0.99}
    worse = {"auc": 0.93, "auc_low": 0.80, "auc_high": 0.931}
    found = judge({"a": evaluated_run("a", better), "b": evaluated_run("b", worse)})
    assert (found.best, found.value, found.note) == ("a", "0.9500 +0.0400 -0.0010", "")


def test_less_may_be_better(evaluated_run):
    runs = {name: evaluated_run(name, {"miss": value}, judged_by=["-miss"]) for name, value in
            (("a", 0.3), ("b", 0.2))}  # fmt: skip
    assert judge(runs).best == "b"


def test_the_first_metric_that_all_know_decides(evaluated_run):
    both = ("ratio", "auc")
    runs = {
        "a": evaluated_run("a", {"ratio": float("nan"), "auc": 0.9}, judged_by=both),
        "b": evaluated_run("b", {"ratio": 1.7, "auc": 0.8}, judged_by=both),
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
def test_runs_that_cannot_be_compared_have_no_best(evaluated_run, other, why):
    one = evaluated_run("one", {"auc": 0.9}, provenance={"data": {"test": "0"}})
    found = judge({"one": one, "other": evaluated_run("other", {"auc": 0.99}, **other)})
    assert found.best == ""
    assert why in found.note


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
