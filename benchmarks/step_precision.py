"""A training step of the engine in its fastest precision against a plain float32 loop.

    python benchmarks/step_precision.py [--size 224] [--batch 8] [--steps 16] [--precision auto]

`hep_cnn`, Adam, on the CPU. The plain loop is the one that every tutorial shows, in a process of
its own: float32, contiguous, batch in memory. The engine reads HDF5, logs, and talks to its
communicator. Both take turns, a few steps each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from training_step import TURN, seconds, write_events

from baryon import config as configs
from baryon.plugins import discover
from baryon.reporting import run_directory
from baryon.training.loop import Trainer
from baryon.training.parts import build_communicator, build_parts
from baryon.training.signals import StopRequest

if TYPE_CHECKING:
    from omegaconf import DictConfig

GOAL = 2.7
PLAIN = """
import sys, time, torch
from torch.nn.functional import cross_entropy
from baryon.interfaces import Field
from baryon_hep.model.hep_cnn import hep_cnn
size, batch = map(int, sys.argv[1:])
fields = {"inputs": Field((3, size, size), "float32")}
model = hep_cnn(filters=128, dropout=0.0, leakiness=0.0, fields=fields)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
images, labels = torch.rand(batch, 3, size, size), torch.arange(batch) % 2
for count in sys.stdin:
    for _ in range(int(count)):
        start = time.perf_counter()
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()
        print(time.perf_counter() - start, flush=True)
"""


class PlainLoop:
    """Steps on demand in another process."""

    def __init__(self, size: int, batch: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PLAIN, str(size), str(batch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, steps: int) -> list[float]:
        """The time of each of the next steps."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        return [float(self._process.stdout.readline()) for _ in range(steps)]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def measure(config: configs.Config, size: int, steps: int) -> None:
    """Let engine and plain loop take turns; print one line of JSON."""
    parts = build_parts(config, discover(), build_communicator(config, discover()))
    run = run_directory.create(config.run, "benchmark")
    plain = PlainLoop(size, config.train.batch_size)
    trainer = Trainer(parts, config, run, StopRequest())
    engine = trainer.steps()
    turns: list[tuple[float, float]] = []
    for turn in range(1 + steps // TURN):
        engine_time = statistics.median(seconds(lambda: next(engine)))
        plain_time = statistics.median(plain.seconds(TURN // 2))
        if turn:  # the first one warms up
            turns.append((engine_time, plain_time))
        time.sleep(0.1)
    engine.close()
    plain.close()
    ratio = statistics.median(plain_time / engine for engine, plain_time in turns)
    per_second = config.train.batch_size / statistics.median(engine for engine, _ in turns)
    print(f"computed in {parts.network.execution} ({trainer.preparation.why})")
    figures = {
        "name": f"training step of hep_cnn at {size}, batch {config.train.batch_size}, "
        f"{config.train.precision}",
        "value": round(per_second, 2),
        "unit": "images/s",
        "alternative": "a plain float32 loop",
        "ratio": round(ratio, 3),
        "goal": GOAL,
    }
    print(json.dumps(figures))


def main() -> None:
    """Compose the config that `baryon train` would, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--precision", default="auto")
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
            "train.epochs=100",
            "train.device=cpu",
            f"train.precision={options.precision}",
            f"run.root={folder}/runs",
        ]
        configs.compose("config", overrides, task, discover())


if __name__ == "__main__":
    main()
