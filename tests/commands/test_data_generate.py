"""`baryon data generate`: how the keys on the command line reach the generator."""

import functools

import pytest

from baryon.cli import execute
from baryon_hep.generation import generate as generation

DEFAULT = {"train": 0.75, "val": 0.10, "test": 0.15}


@pytest.fixture
def given(monkeypatch):
    """The keys that the generator was called with last."""
    keys = {}

    @functools.wraps(generation.generate)
    def record(**arguments):
        keys.update(arguments)

    monkeypatch.setattr(generation, "generate", record)
    return keys


@pytest.mark.parametrize(
    ("overrides", "splits"),
    [
        ([], DEFAULT),
        (["generate.splits={train:0.4,test:0.5}"], {"train": 0.4, "test": 0.5}),
        (["generate.splits.val=0.2"], DEFAULT | {"val": 0.2}),
        (
            ["generate.splits={train:0.4,test:0.5}", "generate.splits.test=0.6"],
            {"train": 0.4, "test": 0.6},
        ),
    ],
)
def test_splits_are_those_that_were_given(given, overrides, splits):
    execute(["data", "generate", "dataset=hep_images", *overrides])
    assert given["splits"] == splits
    assert given["events"] == 20_000
