"""Feed training steps from gzip files, against the same steps on one batch in memory.

    python benchmarks/input_of_steps.py [--size 224] [--batch 8] [--steps 12] [--precision bf16]

`hep_cnn`, forward, loss, backward, Adam, channels last, on the CPU, in its fastest precision: the
faster the step, the more the input shows. Both take turns of some steps. While the batch in memory
has its turn nothing is read; the turn of the files starts with an empty loader, whose first batch
is waited for outside the measurement, and pays for all that the loader reads ahead.
"""

from __future__ import annotations

import json
import time
from contextlib import closing

import numpy as np
import torch
from steps.composing import compose, options_of

from baryon.config.config import Config
from baryon.interfaces import Batch
from baryon.plugins.registry import discover
from baryon.training.build import TRAIN, RunComponents, build_communicator, build_components

GOAL = 0.97
TURNS = 5


Seconds = np.ndarray[tuple[int], np.dtype[np.float64]]
"""(2,) seconds of the wall clock, and of processor time of all threads."""


def now() -> Seconds:
    """Return the readings of both clocks."""
    return np.array([time.perf_counter(), time.process_time()])


class Steps:
    """Do plain training steps on given batches."""

    def __init__(self, components: RunComponents) -> None:
        self.components = components
        self._optimizer = torch.optim.Adam(components.runner.model.parameters(), lr=1e-4)
        components.runner.model.train()

    def step(self, batch: Batch) -> None:
        """Do one step: forward, loss, backward, update."""
        batch = self.components.runner.to_device(batch)
        self._optimizer.zero_grad()
        terms = self.components.loss(self.components.runner(batch), batch)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()

    def from_files(self, steps: int, epoch: int) -> tuple[Seconds, Batch]:
        """Return the time of some steps on fresh batches, and the last of these."""
        with closing(self.components.loader(TRAIN).shuffled(epoch)) as batches:
            batch = next(batches)
            start = now()
            for _ in range(steps):
                self.step(batch)
                batch = next(batches)
            return now() - start, batch

    def from_memory(self, steps: int, batch: Batch) -> Seconds:
        """Return the time of some steps on one batch."""
        start = now()
        for _ in range(steps):
            self.step(batch)
        return now() - start


def measure(config: Config, size: int, steps: int) -> None:
    """Measure both in turn; print one line of JSON."""
    components = build_components(config, discover(), build_communicator(config, discover()))
    training = Steps(components)
    _, batch = training.from_files(2, epoch=0)  # warms up
    turns = []
    for turn in range(TURNS):
        files, batch = training.from_files(steps, epoch=turn)
        turns.append((files, training.from_memory(steps, batch)))
    ratio, processor_ratio = np.median([memory / files for files, memory in turns], axis=0)
    rate = config.train.batch_size * steps / np.median([files[0] for files, _ in turns])
    print(f"ratio of processor time {processor_ratio:.3f}")
    figures = {
        "name": f"steps of hep_cnn at {size}, batch {config.train.batch_size}, from gzip files",
        "value": round(float(rate), 2),
        "unit": "images/s",
        "alternative": "the same steps on one batch in memory",
        "ratio": round(float(ratio), 3),
        "goal": GOAL,
    }
    print(json.dumps(figures))


def main() -> None:
    """Measure in the config that `baryon train` would have."""
    options = options_of(__doc__, steps=12, precision="bf16")
    events = options.batch * (options.steps + 2)
    compose(options, measure, "data.window_mib=32", events=events)


if __name__ == "__main__":
    main()
