"""Compose the config that `baryon train` would for `hep_cnn`, on a file of random images."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from baryon.config.compose import composed
from baryon.config.config import Config
from baryon.plugins.registry import discover


def options_of(doc: str | None, *, steps: int, precision: str) -> argparse.Namespace:
    """Parse the command line of a benchmark of a step."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--precision", default=precision)
    return parser.parse_args()


def compose(
    options: argparse.Namespace,
    measure: Callable[[Config, int, int], None],
    *overrides: str,
    events: int = 64,
) -> None:
    """Call `measure` with the config, the size of the images and the number of steps."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.h5"
        write_events(path, events, options.size)
        choices = [
            "dataset=hep_images",
            "model=hep_cnn",
            f"dataset.train={path}",
            f"train.batch_size={options.batch}",
            "train.device=cpu",
            f"train.precision={options.precision}",
            f"run.root={folder}/runs",
        ]
        config = composed([*choices, *overrides], discover())
        measure(config, options.size, options.steps)


def write_events(path: Path, events: int, size: int) -> None:
    """Write sparse random images in the benchmark layout, in chunks of 16."""
    random = np.random.default_rng(1)
    hit = random.random((events, 3, size, size)) < 0.01
    images = np.where(hit, random.exponential(20.0, hit.shape), 0).astype("f4")
    flags = (np.arange(events) % 2).astype("i4")
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=images, chunks=(16, 3, size, size), compression="gzip")
        for member in ("weight", "normweight"):
            file[member] = np.ones(events, "f4")
        for member in ("label", "psr"):
            file[member] = flags
