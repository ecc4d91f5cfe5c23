"""Settings of frames that take seconds."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import baryon_climate


@pytest.fixture(scope="session")
def small() -> dict[str, Any]:
    """Two years of five frames each, three parts, 48 x 72 pixels."""
    option = Path(baryon_climate.__file__).parent / "conf/generate/climate_extreme_weather.yaml"
    changes = {
        "years": "1979-1980",
        "frames": 5,
        "step_hours": 30,
        "height": 48,
        "part_frames": 3,
        "workers": 1,
    }
    return yaml.safe_load(option.read_text()) | changes
