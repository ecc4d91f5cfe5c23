"""The section `train` as it is shipped, to be changed by a test."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from baryon.config.schemas import Train
from baryon.plugins.registry import host_conf

sys.path.insert(0, str(Path(__file__).parent / "checkpoints"))  # for checkpoint_states


@pytest.fixture(scope="session")
def train() -> Callable[..., Train]:
    """`train(precision="bf16")`: the defaults, with these changes, on the CPU."""
    defaults = OmegaConf.to_container(OmegaConf.load(host_conf() / "train" / "default.yaml"))

    def section(**changes) -> Train:
        small = {"device": "cpu", "compile": "never", "learning_rate": 1e-2}
        return Train(**{**defaults, "weight_decay": 0.0, **small, **changes})

    return section
