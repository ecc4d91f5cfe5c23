"""Small files in the layout of ExtremeWeather."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

import baryon_climate
from baryon_climate.dataset.climate_extreme_weather import ClimateExtremeWeather
from baryon_climate.fields import CHANNELS

HEIGHT, WIDTH = 24, 36


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    """Statistics of one test are none of another's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def random_boxes(random: np.random.Generator, frames: int) -> np.ndarray:
    """Two to five boxes a frame: ymin, xmin, ymax, xmax, class."""
    boxes = np.full((frames, 15, 5), -1, np.int32)
    for frame in boxes:
        count = random.integers(2, 6)
        low = np.stack(
            [random.integers(0, HEIGHT - 8, count), random.integers(0, WIDTH - 9, count)], 1
        )
        size = random.integers(2, 8, (count, 2))
        frame[:count] = np.concatenate([low, low + size, random.integers(0, 4, (count, 1))], 1)
    return boxes


def frames_of(random: np.random.Generator, frames: int) -> np.ndarray:
    """Numbers that each channel may have."""
    low, high = np.array([channel.plausible for channel in CHANNELS]).T[..., None, None]
    shares = random.random((frames, len(CHANNELS), HEIGHT, WIDTH))
    return (low + (high - low) * shares).astype(np.float32)


@pytest.fixture
def write_year(tmp_path) -> Callable[..., Path]:
    """Write `climo_<year>.h5` of some frames; `images` and `boxes` may be given or changed."""

    def write(year: int, frames: int = 8, **changes: Any) -> Path:
        random = np.random.default_rng(year)
        members = {"images": frames_of(random, frames), "boxes": random_boxes(random, frames)}
        attributes = changes.pop("attributes", {"hours_between_frames": 6, "frames": frames})
        chunks = changes.pop("chunks", (1, len(CHANNELS), HEIGHT, WIDTH))
        for name, change in changes.items():
            members[name] = change(members[name]) if callable(change) else change
        path = tmp_path / f"climo_{year}.h5"
        with h5py.File(path, "w") as file:
            file.attrs.update(attributes)
            if members["images"].ndim != 4 or members["images"].shape[1] != len(CHANNELS):
                chunks = True
            file.create_dataset("images", data=members["images"], chunks=chunks, compression="gzip")
            file.create_dataset("boxes", data=members["boxes"], compression="gzip")
        return path

    return write


@pytest.fixture
def open_years(tmp_path) -> Callable[..., ClimateExtremeWeather]:
    """The dataset of the files in the test's folder, with the shipped options and changes."""
    shipped = Path(baryon_climate.__file__).parent / "conf/dataset/climate_extreme_weather.yaml"
    options = yaml.safe_load(shipped.read_text())
    del options["name"], options["defaults"]

    def make(**changes: Any) -> ClimateExtremeWeather:
        return ClimateExtremeWeather(**(options | {"folder": str(tmp_path)} | changes))

    return make
