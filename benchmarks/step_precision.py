"""Compare a training step of the engine in its fastest precision with a plain float32 loop.

    python benchmarks/step_precision.py [--size 224] [--batch 8] [--steps 16] [--precision auto]

`hep_cnn`, Adam, on the CPU. The plain loop is the one that every tutorial shows, in a process of
its own: float32, contiguous, batch in memory. The engine reads HDF5, logs, and talks to its
communicator. Both take turns, a few steps each.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from steps.composing import compose, options_of
from steps.turns import TURN, in_turns, seconds

from baryon.config.config import Config
from baryon.plugins.registry import discover
from baryon.runs import directory as run_directory
from baryon.training.build import build_communicator, build_components
from baryon.training.stop_request import StopRequest
from baryon.training.trainer import Trainer

GOAL = 2.7
PLAIN = """
import sys, time, torch
from torch.nn.functional import cross_entropy
from baryon.interfaces import Field
from baryon_hep.model.hep_cnn import hep_cnn
size, batch = map(int, sys.argv[1:])
fields = {"inputs": Field((3, size, size), "float32")}
model = hep_cnn(
    filters=128, dropout=0.0, leakiness=0.0, padding="zeros", kernels="plain", fields=fields
)
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
    """Do steps on demand in another process."""

    def __init__(self, size: int, batch: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PLAIN, str(size), str(batch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, steps: int) -> float:
        """Return the median time of the next steps."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        return statistics.median(float(self._process.stdout.readline()) for _ in range(steps))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def measure(config: Config, size: int, steps: int) -> None:
    """Let engine and plain loop take turns; print one line of JSON."""
    components = build_components(config, discover(), build_communicator(config, discover()))
    run = run_directory.create(config.run, "benchmark")
    plain = PlainLoop(size, config.train.batch_size)
    trainer = Trainer(components, config, run, StopRequest())
    trainer.prepare()
    engine = trainer.steps()

    def engine_turn() -> float:
        time.sleep(0.1)
        return seconds(lambda: next(engine))

    ratio, took = in_turns(engine_turn, lambda: plain.seconds(TURN // 2), steps // TURN)
    engine.close()
    plain.close()
    print(f"computed in {components.runner.execution} ({trainer.autotuner.why})")
    figures = {
        "name": f"training step of hep_cnn at {size}, batch {config.train.batch_size}, "
        f"{config.train.precision}",
        "value": round(config.train.batch_size / took, 2),
        "unit": "images/s",
        "alternative": "a plain float32 loop",
        "ratio": round(ratio, 3),
        "goal": GOAL,
    }
    print(json.dumps(figures))


def main() -> None:
    """Measure in the config that `baryon train` would have."""
    compose(options_of(__doc__, steps=16, precision="auto"), measure, "train.epochs=100")


if __name__ == "__main__":
    main()
