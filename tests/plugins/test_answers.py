"""What evaluators and communicators answer becomes plain numbers and text."""

import numpy as np
import torch

from baryon.interfaces import CommunicatorSummary, Evaluation, Table
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
