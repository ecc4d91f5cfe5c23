"""Choose, before the first step, the execution mode and the size of micro-batches."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from baryon.config.config import Config
from baryon.data.loader import Loader
from baryon.interfaces import Batch, OptimizerFactory
from baryon.terminal.console import say
from baryon.training.autotune.execution_mode import AUTO, ExecutionMode
from baryon.training.autotune.memory import largest_micro_batch, peak_bytes
from baryon.training.autotune.search import TrialRunner, autotune
from baryon.training.build import RunComponents

BATCHES = 4
"""Batches that trials take in turn."""


class Autotuner:
    """Takes both from the config, or measures them; the result is the same on all workers.

    Attributes
    ----------
    micro_batch : most samples that go through the network at once; None if a worker's part of a
        batch does as a whole
    why : why the execution mode is what it is, for the log and the first line of a run

    """

    def __init__(
        self,
        components: RunComponents,
        config: Config,
        loader: Loader,
        optimizer_factory: OptimizerFactory,
        steps: int,
    ) -> None:
        self._components, self._config, self._loader = components, config, loader
        self._optimizer_factory, self._steps = optimizer_factory, steps
        self._batches: list[Batch] = []
        self._most_at_once = loader.size_at_once(components.comm.shard)
        self.micro_batch = config.train.micro_batch
        if config.train.accumulation_steps > 1:
            # A worker's part of a batch may grow when others die; what it computes at once does
            # not: it takes more micro-batches.
            self.micro_batch = min(self.micro_batch or self._most_at_once, self._most_at_once)
        measured = AUTO in (config.train.precision, config.train.compile)
        self.why = "as the run began" if measured else "as configured"

    def tune(self) -> None:
        """Set the execution mode of the runner, and `micro_batch`. Collective."""
        train, runner = self._config.train, self._components.runner
        self._find_micro_batch()
        if runner.is_settled:
            return
        before = runner.execution
        trials, comm = self._trial_runner(), self._components.comm
        chosen = autotune(train, comm, trials, self._steps, self._key())
        self.why = chosen.pop("why")
        runner.use(ExecutionMode(**chosen))
        if runner.execution.precision != before.precision:
            self._find_micro_batch()  # another precision takes another amount of memory

    def state(self) -> dict[str, Any]:
        """Return the execution mode, its reason and the micro-batch if any, for the log."""
        state = {**self._components.runner.execution.state(), "why": self.why}
        return {**state, "micro_batch": self.micro_batch} if self.micro_batch else state

    def _trial_runner(self) -> TrialRunner:
        return TrialRunner(
            self._components.runner,
            self._components.loss,
            self._optimizer_factory,
            self._first_batches(),
            self.micro_batch,
            self._config.seed,
        )

    def _first_batches(self) -> list[Batch]:
        """Read the first batches of this worker's part; training will read them again."""
        if not self._batches:
            with closing(self._loader.shuffled(0, 0, self._components.comm.shard)) as batches:
                for batch in batches:
                    if len(batch["keys"]):
                        self._batches.append(batch)
                    if len(self._batches) == BATCHES:
                        break
        return self._batches

    def _key(self) -> Mapping[str, Any]:
        """Return what decides speed and loss curve beside the hardware, as key of the cache."""
        values, comm = self._config.values, self._components.comm
        shard = comm.shard
        return {
            "model": values["model"],
            "loss": values["loss"],
            "train": values["train"],
            "data": self._loader.split.fingerprint(),
            "plugins": self._components.identity["plugins"],
            "workers": [shard.num_groups, shard.group_size],
        }

    def _find_micro_batch(self) -> None:
        """Find the largest micro-batch within `train.memory_gib`; the leader measures for all."""
        budget = self._config.train.memory_gib
        if budget is None:
            return
        comm, runner = self._components.comm, self._components.runner
        batch = self._first_batches()[0] if self._first_batches() else None
        result = None
        if comm.is_leader and batch is not None:
            tensors = [*runner.model.parameters(), *runner.model.buffers()]
            model_bytes = sum(tensor.nbytes for tensor in tensors)
            result = largest_micro_batch(
                lambda count: peak_bytes(lambda: self._step(batch, count)),
                model_bytes,
                min(len(batch["keys"]), self._most_at_once),
                budget,
            )
        result = comm.broadcast(result)
        if result is not None:
            self.micro_batch, taken = result
            say(
                f"micro-batches of {self.micro_batch} samples take {taken:.2f} of "
                f"train.memory_gib={budget:g} ({runner.execution.precision})"
            )

    def _step(self, batch: Batch, count: int) -> None:
        trials = self._trial_runner()
        trials.micro_batch = None  # all of them at once, whatever was found in another precision
        trials.batches = [{name: tensor[:count] for name, tensor in batch.items()}]
        # Not compiled: every size would be compiled anew.
        trials.run(self._components.runner.execution.eager(), 1)
