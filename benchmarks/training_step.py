"""A training step of the engine against the same network in a bare PyTorch loop, in one run.

    python benchmarks/training_step.py [--size 224] [--batch 8] [--steps 48] [--precision bf16]

`hep_cnn`, Adam, channels last, both in the same precision, on the CPU. The bare loop has its batch
in memory; the engine reads HDF5, logs, and talks to its communicator. Both take turns, a few steps
each, so that whatever else the machine does slows both alike.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import torch
from torch.nn.functional import cross_entropy

from baryon import config as configs
from baryon.plugins import discover
from baryon.reporting import run_directory
from baryon.training.loop import Trainer
from baryon.training.parts import build_communicator, build_parts
from baryon.training.signals import StopRequest

if TYPE_CHECKING:
    from omegaconf import DictConfig

MOST_OVERHEAD = 1.02
TURN = 4


def write_events(path: Path, events: int, size: int) -> None:
    """A file in the benchmark layout, of sparse random images, in chunks of 16."""
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


def bare_step(model: torch.nn.Module, batch: int, size: int, precision: str) -> Callable[[], None]:
    """The loop that every tutorial shows."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    images = torch.rand(batch, 3, size, size).to(memory_format=torch.channels_last)
    labels = torch.arange(batch) % 2

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            output = model(images)
        cross_entropy(output.float(), labels).backward()
        optimizer.step()

    return step


def seconds(step: Callable[[], object]) -> list[float]:
    """The time of each step of a turn."""
    times = []
    for _ in range(TURN):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times


def measure(config: configs.Config, size: int, steps: int) -> None:
    """Let engine and bare loop take turns; print one line of JSON."""
    parts = build_parts(config, discover(), build_communicator(config, discover()))
    run = run_directory.create(config.run, "benchmark")
    train = config.train
    bare = bare_step(copy.deepcopy(parts.network.model), train.batch_size, size, train.precision)
    engine = Trainer(parts, config, run, StopRequest()).steps()
    turns: list[tuple[float, float]] = []
    for turn in range(1 + steps // TURN):
        engine_time = statistics.median(seconds(lambda: next(engine)))
        bare_time = statistics.median(seconds(bare))
        if turn:  # the first one warms up
            turns.append((engine_time, bare_time))
    engine.close()
    ratio = statistics.median(bare / engine for engine, bare in turns)
    per_second = train.batch_size / statistics.median(engine for engine, _ in turns)
    figures = {
        "name": f"training step of hep_cnn at {size}, batch {train.batch_size}, {train.precision}",
        "value": round(per_second, 2),
        "unit": "images/s",
        "alternative": "the same network in a bare PyTorch loop",
        "ratio": round(ratio, 4),
        "goal": round(1 / MOST_OVERHEAD, 3),
    }
    print(json.dumps(figures))


def main() -> None:
    """Compose the config that `baryon train` would, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=48)
    parser.add_argument("--precision", default="bf16")
    options = parser.parse_args()

    def task(composed: DictConfig) -> None:
        measure(configs.freeze(composed), options.size, options.steps)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.h5"
        write_events(path, 64, options.size)
        overrides = [
            "dataset=hep_images",
            "model=hep_cnn",
            f"dataset.train={path}",
            f"train.batch_size={options.batch}",
            f"train.epochs={options.steps + 2 * TURN}",
            "train.device=cpu",
            f"train.precision={options.precision}",
            f"run.root={folder}/runs",
        ]
        configs.compose("config", overrides, task, discover())


if __name__ == "__main__":
    main()
