"""Whole numbers that are too large: one line that names the option, never a traceback."""

import copy
from collections.abc import Iterator

import pytest

from baryon.cli import execute
from baryon.config.compose import composed
from baryon.config.config import thaw
from baryon.config.schemas import Optuna, Repack
from baryon.errors import BaryonError
from baryon.plugins.bounds import LARGEST, check_seed, check_size
from baryon.plugins.components import prepare
from baryon.plugins.registry import KINDS, discover

TOO_LARGE = 2**64


@pytest.fixture(scope="module")
def values():
    """The whole config of a run."""
    return composed(["experiment=hep_demo", "comm=hybrid"], discover()).values


def whole_numbers(section, path=()) -> Iterator[tuple[str, ...]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from whole_numbers(value, (*path, key))
        elif isinstance(value, int) and not isinstance(value, bool):
            yield (*path, key)


def check(values) -> None:
    """What a command does with a config before it opens anything."""
    choices = thaw(values).choices
    for kind in KINDS:
        prepare(discover(), choices[kind])


def test_every_option_that_is_a_whole_number_is_bounded(values):
    keys = list(whole_numbers(values))
    assert {("seed",), ("train", "epochs"), ("model", "filters"), ("evaluator", "seed")} <= {*keys}
    for *path, key in keys:
        changed = copy.deepcopy(dict(values))
        section = changed
        for name in path:
            section = section[name]
        section[key] = TOO_LARGE
        with pytest.raises(BaryonError) as raised:
            check(changed)
        assert f"{key}={TOO_LARGE} must be a whole number" in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("seed", [-1, TOO_LARGE, LARGEST + 1])
def test_a_seed_that_no_generator_takes(values, seed):
    told = f"seed={seed} must be a whole number from 0 to {LARGEST}"
    with pytest.raises(BaryonError) as raised:
        thaw({**values, "seed": seed})
    assert str(raised.value) == told
    assert thaw({**values, "seed": LARGEST}).seed == LARGEST
    with pytest.raises(BaryonError) as raised:
        Repack("a", "b", 1.0, "auto", 1, True, seed, 1.0)
    assert str(raised.value) == told


def test_other_sections_are_bounded_too():
    with pytest.raises(BaryonError, match=f"sweep.trials={TOO_LARGE} must be a whole number"):
        Optuna(
            method="optuna", name=None, fresh=False, fail_fast=False, metric="validation_loss",
            direction=None, trials=TOO_LARGE, sampler="tpe", pruner="none", startup_trials=1,
            warmup_epochs=1,
        )  # fmt: skip


def test_generators_are_bounded(monkeypatch, tmp_path):
    given = ["dataset=hep_images", f"generate.out={tmp_path}/x", f"generate.seed={TOO_LARGE}"]
    with pytest.raises(BaryonError, match=f"seed={TOO_LARGE} must be a whole number of at most"):
        execute(["data", "generate", *given])
    assert not (tmp_path / "x").exists()


def test_numbers_within_lists_and_mappings():
    check_size("a", {"b": [1, {"c": LARGEST}], "d": True, "e": "x", "f": 1e300, "g": None})
    with pytest.raises(BaryonError, match=r"a\.b\.c=-"):
        check_size("a", {"b": [1, {"c": -TOO_LARGE}]})
    check_seed("seed", 0)
