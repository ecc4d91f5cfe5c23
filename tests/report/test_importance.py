"""The key that decides a sweep is named first; one that does nothing has nothing."""

import numpy as np
import pytest

from baryon.cli import main
from baryon.report.page.importance import importance

SWEPT = ["rate", "kind"]


def shares(choices, values, swept=SWEPT) -> dict[str, float]:
    return {entry["name"]: entry["share"] for entry in importance(swept, choices, values)}


def grid(times: int = 1) -> list[dict]:
    choices = [{"rate": rate, "kind": kind} for rate in (1e-3, 1e-2, 1e-1) for kind in "ab"]
    return choices * times


def test_of_a_grid_the_key_that_decides_comes_first():
    choices = grid()
    values = [-job["rate"] - (1e-9 if job["kind"] == "b" else 0) for job in choices]
    found = shares(choices, values)
    assert list(found) == SWEPT
    # H = 32/7 of three pairs of neighbouring ranks: (32/7 - 2) / 3
    assert found["rate"] == pytest.approx(6 / 7)
    assert found["kind"] == 0


def test_one_diverged_job_does_not_decide():
    choices = grid(8)
    values = [job["rate"] for job in choices]
    values[0] = 1e30
    assert shares(choices, values)["rate"] > 0.8


def test_drawn_numbers_are_binned_and_chance_is_nothing():
    random = np.random.default_rng(1)
    choices = [{"rate": 10 ** random.uniform(-5, -1), "kind": random.random()} for _ in range(60)]
    found = shares(choices, [np.log(job["rate"]) for job in choices])
    assert found["rate"] > 0.9
    assert found["kind"] < 0.15


@pytest.mark.parametrize(
    ("choices", "values"),
    [
        ([], []),
        (grid(), [None] * 6),
        (grid(), [1.0] * 6),
        ([{"rate": 1, "kind": "a"}, {"rate": 2, "kind": "b"}], [0.1, 0.2]),
        ([{"rate": [1, 2], "kind": None}, {"rate": [3], "kind": "b"}], [0.1, 0.2]),
    ],
    ids=["no jobs", "none finished", "all equal", "too few", "lists"],
)
def test_what_cannot_be_known_is_not_said(choices, values):
    assert shares(choices, values) == {}


def test_the_page_of_a_sweep_has_a_bar_a_key(tmp_path, write_sweep):
    sweep = write_sweep(tmp_path / "sweep")
    assert main(["report", f"sweep={sweep}"]) == 0
    page = (sweep / "report.html").read_text()
    assert page.index("Importance of the keys") < page.index('id="table-jobs"')
    assert "<code>train.optimizer</code>" in page.partition('class="importance"')[2]
