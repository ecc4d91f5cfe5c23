"""Synthetic frames made in the test's own process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import baryon_climate
from baryon_climate.generation import generate as generation

OPTION = Path(baryon_climate.__file__).parent / "conf/generate/climate_extreme_weather.yaml"


@pytest.fixture(scope="session")
def generate_here() -> Callable[..., None]:
    """Generate frames without starting worker processes, which takes seconds."""

    def run(work: Callable[..., None], tasks: Any, workers: int, report: Any) -> None:
        for task in tasks:
            work(*task, report)

    def generate(**changes: Any) -> None:
        options = yaml.safe_load(OPTION.read_text()) | {"workers": 1}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(generation.worker_pool, "run", run)
            generation.generate(**options | changes)

    return generate
