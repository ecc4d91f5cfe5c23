"""The pass over the frames: right, made once, in parts, of some frames if asked."""

import numpy as np
import pytest

from baryon_climate.dataset import statistics as module
from baryon_climate.dataset.statistics import statistics
from baryon_climate.fields import CHANNELS


class Frames:
    """Frames in memory that count what is read of them."""

    def __init__(self, images: np.ndarray, run: int = 1, name: str = "a") -> None:
        self.images, self.run, self.name, self.read_frames = images, run, name, 0

    def __len__(self) -> int:
        return len(self.images)

    def chunk_starts(self):
        return range(0, len(self.images), self.run)

    def read(self, start, stop):
        self.read_frames += stop - start
        return self.images[start:stop]

    def place(self, frame):
        return f"frame {frame}"

    def fingerprint(self):
        return self.name


@pytest.fixture
def images() -> np.ndarray:
    random = np.random.default_rng(1)
    return random.normal([[[[1e5]], [[5.0]]]], [[[[300.0]], [[0.1]]]], (20, 2, 7, 9)).astype("f4")


@pytest.mark.parametrize("run", [1, 3, 20])
def test_figures_are_those_of_all_values_together(images, run):
    found = statistics(Frames(images, run), CHANNELS[1:3], "train", None, 2)
    axes = (0, 2, 3)
    np.testing.assert_array_equal(found.minimum, images.min(axes))
    np.testing.assert_array_equal(found.maximum, images.max(axes))
    np.testing.assert_allclose(found.mean, images.mean(axes, np.float64), rtol=1e-6)
    np.testing.assert_allclose(found.deviation, images.std(axes, np.float64), rtol=1e-3)
    scaled = (images - found.scaling()[:, 0, None, None]) / found.scaling()[:, 1, None, None]
    np.testing.assert_allclose([scaled.min(axes), scaled.max(axes)], [[-1, -1], [1, 1]], atol=1e-4)


def test_the_pass_is_made_once_for_the_same_data(images):
    first = statistics(frames := Frames(images), CHANNELS[1:3], "train", None, 2)
    assert frames.read_frames == 20
    assert statistics(again := Frames(images), CHANNELS[1:3], "train", None, 2) == first
    assert again.read_frames == 0
    statistics(changed := Frames(images, name="b"), CHANNELS[1:3], "train", None, 2)
    assert changed.read_frames == 20


def test_some_frames_give_the_ranges_if_asked(images):
    found = statistics(frames := Frames(images), CHANNELS[1:3], "train", 5, 2)
    assert frames.read_frames == found.frames == 5
    whole = statistics(Frames(images), CHANNELS[1:3], "train", None, 2)
    assert whole.frames == 20
    assert whole.maximum >= found.maximum


def test_no_more_runs_are_in_memory_than_threads(images, monkeypatch):
    alive, most = 0, 0

    def counted(*arguments):
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        part = original(*arguments)
        alive -= 1
        return part

    original = module._of_run
    monkeypatch.setattr(module, "_of_run", counted)
    statistics(Frames(images), CHANNELS[1:3], "train", None, 1)
    assert most == 1
