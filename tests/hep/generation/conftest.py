"""Settings of a data set that takes seconds."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import baryon_hep


@pytest.fixture(scope="session")
def defaults() -> dict[str, Any]:
    """The keys of the shipped option."""
    option = Path(baryon_hep.__file__).parent / "conf/generate/hep_images.yaml"
    return yaml.safe_load(option.read_text())


@pytest.fixture(scope="session")
def small(defaults) -> dict[str, Any]:
    """Two parts of the signal and one of each of two slices, 16 events in all."""
    changes = {
        "events": 16,
        "pt_hat_slices": [800, 1100, 1500],
        "part_events": 4,
        "image_sizes": [64, 32],
        "splits": {"train": 0.5, "val": 0.0, "test": 0.5},
        "workers": 1,
    }
    return defaults | changes
