"""Compare a training step of the engine with the same network in a bare PyTorch loop.

    python benchmarks/training_step.py [--size 224] [--batch 8] [--steps 48] [--precision bf16]

`hep_cnn`, Adam, channels last, both in the same precision, on the CPU. The bare loop has its batch
in memory; the engine reads HDF5, logs, and talks to its communicator. Both take turns, a few steps
each, so that whatever else the machine does slows both alike.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

import torch
from steps.composing import compose, options_of
from steps.turns import TURN, in_turns, seconds
from torch.nn.functional import cross_entropy

from baryon.config.config import Config
from baryon.plugins.registry import discover
from baryon.runs import directory as run_directory
from baryon.training.build import build_communicator, build_components
from baryon.training.stop_request import StopRequest
from baryon.training.trainer import Trainer

MAX_OVERHEAD = 1.02


def bare_step(model: torch.nn.Module, batch: int, size: int, precision: str) -> Callable[[], None]:
    """Return the step of the loop that every tutorial shows."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    images = torch.rand(batch, 3, size, size).to(memory_format=torch.channels_last)
    labels = torch.arange(batch) % 2

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            output = model(images)
        cross_entropy(output.float(), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def measure(config: Config, size: int, steps: int) -> None:
    """Let engine and bare loop take turns; print one line of JSON."""
    components = build_components(config, discover(), build_communicator(config, discover()))
    run = run_directory.create(config.run, "benchmark")
    train = config.train
    bare = bare_step(
        copy.deepcopy(components.runner.model), train.batch_size, size, train.precision
    )
    trainer = Trainer(components, config, run, StopRequest())
    trainer.prepare()
    engine = trainer.steps()
    ratio, took = in_turns(
        lambda: seconds(lambda: next(engine)), lambda: seconds(bare), steps // TURN
    )
    engine.close()
    figures = {
        "name": f"training step of hep_cnn at {size}, batch {train.batch_size}, {train.precision}",
        "value": round(train.batch_size / took, 2),
        "unit": "images/s",
        "alternative": "the same network in a bare PyTorch loop",
        "ratio": round(ratio, 4),
        "goal": round(1 / MAX_OVERHEAD, 3),
    }
    print(json.dumps(figures))


def main() -> None:
    """Measure in the config that `baryon train` would have."""
    options = options_of(__doc__, steps=48, precision="bf16")
    compose(options, measure, f"train.epochs={options.steps + 2 * TURN}")


if __name__ == "__main__":
    main()
