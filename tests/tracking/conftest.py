"""A run that tracks, and what TensorBoard reads of it."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from baryon.config import frozen_file
from baryon.runs.directory import RunDirectory

sys.path.insert(0, str(Path(__file__).parent))  # for tensorboard_reader


@pytest.fixture
def run(tmp_path, write_run):
    return RunDirectory(write_run(tmp_path / "run", finished=False, log=[]))


@pytest.fixture
def tracking(run):
    """Make the config of a run that tracks as the arguments say."""

    def section(**changes):
        values = {"tensorboard": False, "mlflow": None, "experiment": "tests"} | changes
        config = frozen_file.read(run.config)
        return replace(config, tracking=replace(config.tracking, **values))

    return section
