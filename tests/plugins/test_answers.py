"""What evaluators and communicators answer becomes plain numbers and text."""

import numpy as np
import pytest
import torch

from baryon.errors import BaryonError
from baryon.interfaces import CommunicatorSummary, Curve, Evaluation, Table
from baryon.plugins.answers import checked_evaluation, checked_findings, numbers


def test_numbers_of_libraries_become_plain_ones():
    given = {
        "float32": np.float32(0.25),
        "array": np.array(0.5),
        "tensor": torch.tensor(0.75),
        "on a graph": torch.tensor(1.25, requires_grad=True),
        "int64": np.int64(3),
        "bool": np.bool_(True),
        "whole": 7,
    }
    plain = {
        "float32": 0.25, "array": 0.5, "tensor": 0.75, "on a graph": 1.25, "int64": 3, "bool": 1,
        "whole": 7,
    }  # fmt: skip
    found = numbers("x", given)
    assert found == plain
    assert {type(value) for value in found.values()} == {int, float}
    table = {"t": Table(("a", "b"), [(np.float32(0.5), "x")])}
    evaluation = checked_evaluation("x", Evaluation("fine", given, table))
    assert evaluation.metrics == plain
    assert evaluation.tables["t"].rows == [[0.5, "x"]]
    assert checked_findings("x", CommunicatorSummary(given)).metrics == plain


def curve(**columns) -> Curve:
    return Curve(**{"x": [0.0, 1.0], "y": [0.5, 1.0], "x_label": "x", "y_label": "y"} | columns)


def test_a_curves_numbers_become_plain_ones():
    answer = Evaluation("fine", {}, curves={"roc": curve(y=np.float32([0.5, 1]))})
    checked = checked_evaluation("x", answer).curves["roc"]
    assert checked.y == [0.5, 1.0]
    assert {type(value) for value in checked.y} == {float}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (3, "not a baryon.interfaces.Curve"),
        (curve(x=[0.0]), "different lengths"),
        (curve(low=[0.1]), "different lengths"),
        (curve(y=["a", "b"]), "not a number"),
        (curve(x=[0.0] * 2001, y=[0.0] * 2001), "give 2,000 or fewer"),
    ],
)
def test_a_curve_that_no_page_can_draw_is_refused(given, fault):
    with pytest.raises(BaryonError, match=fault):
        checked_evaluation("plugin x", Evaluation("fine", {}, curves={"roc": given}))
