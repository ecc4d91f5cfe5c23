"""Before the first step: how it is computed, and in micro-batches of how many samples."""

from __future__ import annotations

import copy
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


class Autotuner:
    """What is settled, by the config or by measuring; the same on all workers."""

    def __init__(
        self,
        components: RunComponents,
        config: Config,
        loader: Loader,
        updates: OptimizerFactory,
        steps: int,
    ) -> None:
        """Settle `parts.network` and `micro_batch`. Collective."""
        self._components, self._config, self._loader, self._updates = (
            components,
            config,
            loader,
            updates,
        )
        self._batches: list[Batch] = []
        self.micro_batch = config.train.micro_batch
        """Most samples that go through the network at once; None: all of a worker's part."""
        measured = AUTO in (config.train.precision, config.train.compile)
        self.why = "as the run began" if measured else "as configured"
        self._search()
        if not components.runner.is_settled:
            before = components.runner.execution
            chosen = dict(
                autotune(config.train, components.comm, self._tries(), steps, self._key())
            )
            self.why = chosen.pop("why")
            components.runner.use(ExecutionMode(**chosen))
            if components.runner.execution.precision != before.precision:
                self._search()

    def state(self) -> dict[str, Any]:
        """For the log."""
        found = {**self._components.runner.execution.state(), "why": self.why}
        return {**found, "micro_batch": self.micro_batch} if self.micro_batch else found

    def _tries(self) -> TrialRunner:
        runner, loss, seed = self._components.runner, self._components.loss, self._config.seed
        return TrialRunner(
            runner, loss, self._updates, self._first_batches(), self.micro_batch, seed
        )

    def _first_batches(self) -> list[Batch]:
        """Of this worker's part; read again when training begins."""
        if not self._batches:
            with closing(self._loader.shuffled(0, 0, self._components.comm.shard)) as batches:
                for batch in batches:
                    if len(batch["keys"]):
                        self._batches.append(batch)
                    if len(self._batches) == BATCHES:
                        break
        return self._batches

    def _key(self) -> Mapping[str, Any]:
        """What decides the speed and the loss curve beside the hardware."""
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

    def _search(self) -> None:
        """The largest micro-batch within `train.memory_gib`, of the leader's part for all."""
        budget = self._config.train.memory_gib
        if budget is None:
            return
        comm, runner = self._components.comm, self._components.runner
        batch = self._first_batches()[0] if self._first_batches() else None
        found = None
        if comm.is_leader and batch is not None:
            tensors = [*runner.model.parameters(), *runner.model.buffers()]
            own = sum(tensor.nbytes for tensor in tensors)
            found = largest_micro_batch(
                lambda count: peak_bytes(lambda: self._step(batch, count)),
                own,
                len(batch["keys"]),
                budget,
            )
        found = comm.broadcast(found)
        if found is not None:
            self.micro_batch, taken = found
            say(
                f"micro-batches of {self.micro_batch} samples take {taken:.2f} of "
                f"train.memory_gib={budget:g} ({runner.execution.precision})"
            )

    def _step(self, batch: Batch, count: int) -> None:
        tries = copy.copy(self._tries())
        tries.batches = [{name: tensor[:count] for name, tensor in batch.items()}]
        tries.run(self._components.runner.execution.eager(), 1, float("inf"))
