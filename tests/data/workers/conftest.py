"""Two reading processes for all tests of this folder."""

import sys
from contextlib import closing
from pathlib import Path

import pytest
import torch

from baryon.data.loading import Loading
from baryon.data.workers.worker_group import WorkerGroup

sys.path.insert(0, str(Path(__file__).parent))  # the processes import splits from here


@pytest.fixture(scope="session")
def readers():
    with closing(WorkerGroup(2)) as readers:
        yield readers


@pytest.fixture
def own_readers():
    """Two that a test may kill."""
    with closing(WorkerGroup(2)) as readers:
        yield readers


@pytest.fixture
def loading():
    def make(**changes) -> Loading:
        settings = {"batch_size": 7, "window_mib": 1, "prefetch": 2, "seed": 1, "threads": 2}
        return Loading(**settings | {"device": torch.device("cpu")} | changes)

    return make
