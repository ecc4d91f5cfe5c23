import json

import pytest

from baryon.report.training_curves import curves
from baryon.runs.directory import write_json
from baryon.runs.metrics_log import MetricsLog
from baryon.terminal.training_progress import describe


def record(kind, step, **values):
    return {"kind": kind, "step": step, "epoch": 1, "seconds": 0.1, **values}


def test_a_log_can_be_read_back_and_cut(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for step in (1, 2, 3):
        log.write("validation", {"step": step, "seconds": 1.0, "loss": 1 / step})
    assert [r["step"] for r in log.read()] == [1, 2, 3]
    log.filter(lambda record: record["step"] <= 2)
    assert [r["step"] for r in log.read()] == [1, 2]


def test_a_line_cut_off_by_a_crash_is_left_out(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write("stopped", {"step": 1})
    with log.path.open("a") as file:
        file.write('{"kind": "train", "st')
    assert [r["step"] for r in log.read()] == [1]


def test_numbers_that_are_none_become_null(tmp_path):
    values = {"a": 1.5, "b": float("nan"), "c": {"d": [float("inf"), 2]}}
    write_json(tmp_path / "m.json", values)
    text = (tmp_path / "m.json").read_text()
    assert json.loads(text) == {"a": 1.5, "b": None, "c": {"d": [None, 2]}}


@pytest.mark.parametrize(
    ("terms", "expected"),
    [(["ce"], ["ce, train", "ce, validation"]), (["x", "y"], ["loss", "x", "y"])],
)
def test_curves_show_each_term_once(terms, expected):
    rates = {"samples_per_second": 3.0, "tflops_per_second": 0.1}
    losses = {"loss": 2.0, **dict.fromkeys(terms, 1.0)}
    records = [record("train", 1, **losses, **rates), record("validation", 2, **losses)]
    figure = curves(records)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    if len(terms) == 1:
        assert labels == expected
    else:
        assert labels == [f"{n}, {kind}" for kind in ("train", "validation") for n in expected]


def test_values_in_a_few_words():
    values = {"loss": 0.51234, "samples_per_second": 61.23, "tflops_per_second": 0.0712}
    assert describe(values) == "loss 0.5123  61.2 samples/s  0.0712 TFLOP/s"


def test_a_high_rate_has_no_power_of_ten():
    assert describe({"samples_per_second": 1110.4}) == "1,110 samples/s"


def test_several_terms_are_told_beside_their_sum():
    assert describe({"loss": 3.0, "ce": 3.0}) == "loss 3.0000"
    assert describe({"loss": 3.0, "x": 1.0, "y": 2.0}) == "loss 3.0000  x 1.0000  y 2.0000"


def test_a_number_that_json_does_not_have_is_null_in_the_log(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write("stopped", {"step": 1, "comm": {"waiting": float("nan"), "most": float("inf")}})
    text = log.path.read_text()
    assert json.loads(text, parse_constant=pytest.fail)["comm"] == {"waiting": None, "most": None}
