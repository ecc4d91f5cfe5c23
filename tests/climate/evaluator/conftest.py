"""Frames with boxes that tests write down."""

from collections.abc import Callable

import numpy as np
import pytest

from baryon_climate.evaluator.frames import HEURISTIC, NETWORK, Boxes, Frame
from baryon_climate.grid import Grid


def _boxes(rows) -> Boxes:
    """Of rows ymin, xmin, ymax, xmax, class, score."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Boxes(
        table[:, :4].astype(np.float32), table[:, 4].astype(np.int64), table[:, 5].astype("f4")
    )


def _frame(key: int, known, found, *, criteria=(), grid: Grid | None = None) -> Frame:
    """Known boxes are rows of five; those of the network and of the criteria have a score."""
    truth = _boxes([[*row, 1.0] for row in known])
    by = {NETWORK: _boxes(list(found)), HEURISTIC: _boxes(list(criteria))}
    return Frame(key, 0, grid or Grid.globe(97, 144), truth, by)


@pytest.fixture(scope="session")
def frame() -> Callable[..., Frame]:
    """Write down a frame."""
    return _frame


def _random_frames(count: int, seed: int, grid: Grid | None = None) -> list[Frame]:
    """Boxes of all classes; the found ones are shifted known ones and inventions."""
    random = np.random.default_rng(seed)
    frames = []
    for key in range(count):
        known = [_random_box(random) for _ in range(random.integers(0, 7))]
        found = [
            [*(np.array(row[:4]) + random.uniform(-3, 3, 4)), row[4], random.random()]
            for row in known
            if random.random() < 0.8
        ]
        found += [[*_random_box(random), random.random()] for _ in range(random.integers(0, 5))]
        frames.append(_frame(key, known, found, criteria=found[::2], grid=grid))
    return frames


def _random_box(random: np.random.Generator) -> list[float]:
    y, x = random.uniform(0, 80), random.uniform(0, 120)
    high, wide = random.uniform(8, 20, 2)
    return [y, x, y + high, x + wide, float(random.integers(0, 4))]


@pytest.fixture(scope="session")
def random_frames() -> Callable[..., list[Frame]]:
    """Frames with boxes by chance."""
    return _random_frames
