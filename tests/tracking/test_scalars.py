"""Numbers of the log by the names that trackers show."""

import math

from tensorboard_reader import LINE

from baryon.tracking.scalars import results, scalars


def test_a_line_of_the_log_as_numbers():
    assert scalars("train", LINE) == {
        "train/loss": 0.5, "train/ce": 0.5, "speed/samples_per_second": 640.0, "ms/forward": 3.0,
        "comm/staleness": 1.5,
    }  # fmt: skip
    assert scalars("validation", {"step": 1, "loss": 1.0}) == {"validation/loss": 1.0}
    assert scalars("meters", LINE) == {}
    assert results({"auc": 0.9, "gone": math.nan, "name": "x"}, "test") == {"test/auc": 0.9}
