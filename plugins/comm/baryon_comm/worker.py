"""A worker rank: exchanges gradients layer by layer and survives the death of others.

What is exchanged, and what becomes of it, is the strategy's.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Any

import torch

from baryon.errors import BaryonError, LeaderDiedError
from baryon.interfaces import CommunicatorSummary, DataShard, OptimizerFactory
from baryon.terminal.console import warn_from_rank
from baryon_comm.gradients.checksum import checksum
from baryon_comm.gradients.layer import split_into_layers
from baryon_comm.gradients.optimizer_state import trained
from baryon_comm.gradients.reducer import Reducer
from baryon_comm.group.transport import BrokenGroupError
from baryon_comm.membership.health_check import Activity, RankState
from baryon_comm.membership.membership import Membership
from baryon_comm.mpi.layout import Layout
from baryon_comm.mpi.progress_engine import STARTUP_FACTOR, AdaptiveTimeout, Work
from baryon_comm.mpi.world import World
from baryon_comm.options import Options
from baryon_comm.report import worker_summary
from baryon_comm.server.client import goodbye
from baryon_comm.step_timer import StepTimer
from baryon_comm.strategy.base import Strategy, StrategyContext


class Worker:
    """A worker rank; see `baryon.interfaces.Communicator`."""

    is_server = False

    def __init__(self, world: World, layout: Layout, strategy: Strategy, options: Options) -> None:
        self._world, self._layout, self._strategy, self._options = world, layout, strategy, options
        self._membership = Membership(
            world,
            layout,
            options,
            self._state,
            survives=world.tolerant and strategy.survives,
            repair=self._repair_between_steps,
        )
        self._engine, self._group = self._membership.engine, self._membership.group
        self._step_timeout = AdaptiveTimeout(options.deadline_s, STARTUP_FACTOR)
        self._pending: list[Work] = []
        self._timer = StepTimer()
        self._expected_samples: float | None = None
        self._stop = False
        self._completed_steps = 0
        self._context: StrategyContext | None = None
        self._reducer: Reducer

    @property
    def is_leader(self) -> bool:
        """Whether this is the first worker alive."""
        return self._membership.is_leader

    @property
    def shard(self) -> DataShard:
        """This worker's part of each batch: by group, then by rank in the group."""
        return self._membership.shard

    def all_gather_object(self, value: Any) -> list[Any]:
        """Return every rank's value."""
        task = self._world.all_gather_object(value)
        values: list[Any] = self._membership.run(task, "the exchange at the start")
        return values

    def start(self, model: torch.nn.Module, make_optimizer: OptimizerFactory) -> None:
        """Give all workers the leader's weights, and hook the gradients."""
        layers, parameters = split_into_layers(model)
        self._reducer = Reducer(layers, parameters, self._submit, overlap=self._options.overlap)
        context = StrategyContext(
            world=self._world,
            layout=self._layout,
            group=self._group,
            group_gather=self._membership.group_gather,
            engine=self._engine,
            timeout=self._step_timeout,
            model=model,
            layers=layers,
            parameters=parameters,
            is_leader=lambda: self.is_leader,
        )
        device = parameters[0][0].device
        # Only now is the device known, which decides by which library a group sums.
        self._membership.run(self._group.connect(device), "connecting the group")
        weights = self.broadcast(_on_cpu(model.state_dict()) if self.is_leader else None)
        model.load_state_dict(weights)
        try:
            self._strategy.start(context, make_optimizer)
        except self._world.mpi.Exception as error:
            what = "setting up the servers"
            raise self._world.communication_error(what, error, self._layout) from error
        self._context = context
        # No gradient may reach a server that is not set up.
        self._gather_all(None)

    @property
    def _started(self) -> StrategyContext:
        assert self._context is not None
        return self._context

    @property
    def _device(self) -> torch.device:
        return self._started.parameters[0][0].device

    def _state(self) -> RankState:
        """Describe what this rank is doing, for the health check."""
        if self._context is None:
            return RankState(Activity.COMPUTING, "starting")
        step = f"step {self._membership.step_number}"
        if not self._engine.is_awaited:
            return RankState(Activity.COMPUTING, f"computing {step}")
        servers = ", ".join(f"rank {rank}" for rank in sorted(self._strategy.awaited_ranks()))
        return RankState(
            Activity.WAITING, f"waiting in {step}" + (f" for {servers}" if servers else "")
        )

    def begin(self, step: int, samples: int, batch_size: int, *, stop: bool) -> None:
        """Begin a step: gradients are packed and exchanged from now on."""
        self._membership.step = step
        self._pending, self._stop = [], stop
        self._strategy.begin(step, stop=stop)
        if not self._strategy.averages_gradients:
            return
        groups = self._membership.shard.num_groups
        alone = self._layout.group_size == 1
        self._expected_samples = None if alone else batch_size / groups
        # Parts differ by a sample, or a worker skipped some: weighed by samples, the mean over
        # workers is that of the batch.
        scale = 1.0 if self._expected_samples is None else samples / self._expected_samples
        self._reducer.arm(scale, samples, stop=stop)

    def _submit(self, layer: int) -> None:
        bucket, step = self._reducer.buckets[layer], self._membership.step
        task = self._strategy.exchange_bucket(bucket, step, self._expected_samples)
        what = f"step {step + 1}: the exchange of layer {bucket.layer.name}"
        self._pending.append(self._engine.submit(task, what, self._step_timeout))

    def step(self) -> bool:
        """Wait for the exchanges still in flight, then take the new weights."""
        step = self._membership.step
        self._timer.end_backward()
        if self._strategy.averages_gradients:
            self._reducer.flush()
        if not self._wait_for_exchange():
            self._finish()
        self._membership.detect_failures()
        self._completed_steps = step + 1
        self._timer.end_step()
        self._compare_weights()
        return self._strategy.stops(step, self._reducer.buckets)

    def _finish(self) -> None:
        try:
            self._strategy.finish(self._membership.step, self._reducer.buckets)
        except (self._world.mpi.Exception, BrokenGroupError) as error:
            self._membership.require_survival(error)
            raise

    def _wait_for_exchange(self) -> bool:
        """Wait for the exchange, and repeat it after each death.

        Returns whether other members had finished the step, whose weights were then taken.
        """
        while True:
            try:
                self._engine.wait(self._pending)
            except (self._world.mpi.Exception, BrokenGroupError) as error:
                self._membership.require_survival(error)
            else:
                return False
            if self._repair_group(self._membership.step):
                return True
            self._pending = []
            self._strategy.begin(self._membership.step, stop=self._stop)
            for layer in range(len(self._reducer.buckets)):
                self._submit(layer)

    def _repair_between_steps(self) -> None:
        self._repair_group(self._completed_steps)

    def _repair_group(self, completed: int) -> bool:
        """Go on without the dead members; return whether this worker was a step behind.

        A member may have finished the step before it noticed the death; then all take its weights.
        """
        while True:
            self._group.revoke()
            if self._options.on_death == "drop":
                _leave_at_once(self._membership.group_number, self._world)
            self._membership.shrink_group(self._device)
            try:
                return self._catch_up(completed)
            except (self._world.mpi.Exception, BrokenGroupError) as error:
                self._membership.require_survival(error)  # one more has died

    def _catch_up(self, completed: int) -> bool:
        membership = self._membership
        task = self._group.all_gather_object(completed)
        reached: list[int] = membership.attempt(task, "shrinking the group")
        if max(reached) == min(reached):
            return False
        furthest = reached.index(max(reached))
        membership.attempt(self._strategy.catch_up(furthest), "catching up")
        if completed == max(reached):
            return False
        self._strategy.finish(membership.step, self._reducer.buckets)
        return True

    def _compare_weights(self) -> None:
        """Raise `BaryonError` unless members of the group hold the same weights, bit by bit."""
        every, step = self._options.check_every, self._membership.step
        due = every and self._completed_steps % every == 0
        if not due or not self._strategy.is_synchronized(step):
            return
        checksums = self._membership.gather_group(checksum(self._started.model))
        ranks = self._membership.group_gather.ranks
        others = [ranks[n] for n, value in enumerate(checksums) if value != checksums[0]]
        if others:
            raise BaryonError(
                f"after step {step + 1} ranks {others} hold other weights than rank {ranks[0]} of "
                "their group: do they run other libraries?"
            )

    def synchronize(self) -> None:
        """Give all workers the leader's weights; buffers become the mean over workers."""
        self._gather_all(None)
        model = self._started.model
        while True:
            task = self._strategy.synchronize()
            notes = self._membership.run(task, "fetching the weights")
            weights = _on_cpu(dict(trained(model))) if self.is_leader and notes else None
            if (from_leader := self._from_leader((notes, weights))) is not None:
                break  # otherwise the leader died, and its successor does it again
        notes, weights = from_leader
        if notes is not None:
            with torch.no_grad():
                for name, parameter in trained(model):
                    parameter.copy_(weights[name])
            self._strategy.synchronized(notes)
        self._average_buffers(model)

    def _average_buffers(self, model: torch.nn.Module) -> None:
        """Average running statistics, of which each worker saw its part."""
        buffers = {name: b for name, b in model.named_buffers() if b.is_floating_point()}
        if not buffers:
            return
        workers = self._gather_all(_on_cpu(buffers))
        for name, buffer in buffers.items():
            values = torch.stack([worker[name] for worker in workers])
            # The mean of equal numbers may differ from them in its last bit, and would move the
            # statistics of frozen layers a little at every checkpoint.
            if not torch.equal(values, values[:1].expand_as(values)):
                buffer.copy_(values.mean(dim=0))

    def all_reduce_sum(
        self, values: Mapping[str, float], *, in_group: bool = False
    ) -> dict[str, float]:
        """Sum values over all workers, or the group, in rank order: the same on all."""
        membership = self._membership
        gather = membership.gather_group if in_group else membership.gather_all
        total: dict[str, float] = {}
        # Added in the order of ranks on each of them: floats added in another order differ.
        for worker in gather(dict(values)):
            for name, value in worker.items():
                total[name] = total.get(name, 0.0) + value
        self._timer.restart()
        return total

    def _gather_all(self, value: Any) -> list[Any]:
        """Return all workers' values. The wait for the others is no part of the next step."""
        values = self._membership.gather_all(value)
        self._timer.restart()
        return values

    def gather(self, value: Any) -> list[Any]:
        """Return all workers' values on the leader."""
        values = self._gather_all(value)
        return values if self.is_leader else []

    def broadcast(self, value: Any) -> Any:
        """Return the leader's value."""
        from_leader = self._from_leader((value,))
        if from_leader is None:
            raise LeaderDiedError(
                "the first worker died while the others waited for its word: start the run again, "
                "or go on with `baryon resume run=<dir>`"
            )
        return from_leader[0]

    def _from_leader(self, value: Any) -> Any:
        """Return the leader's value on all workers; None if it has just died."""
        values = self._gather_all(value if self.is_leader else None)
        return next((value for value in values if value is not None), None)

    def metrics(self) -> dict[str, float]:
        """Return exposed communication, and the strategy's own metrics."""
        return {**self._timer.read(), **self._strategy.metrics()}

    def summary(self) -> CommunicatorSummary:
        """Return who was slow, who died, and the strategy's own summary."""
        membership = self._membership
        times = {
            "who": membership.description,
            "faults": membership.failures,
            "group": membership.group_number,
            "staleness": self._strategy.staleness_by_step(),
        }
        workers = self.gather({**times, **self._timer.total()})
        if not self.is_leader:
            return CommunicatorSummary()
        strategy_summary = membership.run(self._strategy.summary(), "asking the servers")
        failed = sorted(self._world.failed_ranks())
        dead = {rank: self._world.describe(rank, self._layout) for rank in failed}
        return worker_summary(workers, dead, strategy_summary, self._layout)

    def state_dict(self) -> dict[str, Any]:
        """Return the strategy's state; nobody goes on before the leader has it."""
        while True:
            state = None
            if self.is_leader:
                state = self._membership.run(self._strategy.state(), "collecting the state")
            if any(self._gather_all(state is not None)):
                return state or {}  # otherwise the leader died, and its successor does it again

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load a state on every worker; nobody goes on before all have it."""
        self._membership.run(self._strategy.load(state), "loading the state")
        self._gather_all(None)

    def serve(self) -> None:
        """No-op: only parameter servers serve."""

    def abort(self, message: str) -> None:
        """End the job."""
        self._world.abort(message)

    def close(self) -> None:
        """Say goodbye to the servers, then leave together."""
        # Servers first: they serve until all workers have said so.
        servers = self._layout.server_ranks()
        self._membership.run(goodbye(self._world, servers), "leaving")
        self._membership.run(self._world.leave(), "leaving")
        self._engine.close()


def _on_cpu(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in state.items()}


def _leave_at_once(group: int, world: World) -> None:
    """End this worker as if it had died: with comm.on_death=drop its whole group leaves."""
    warn_from_rank(f"rank {world.rank} leaves: group {group} lost a worker and comm.on_death=drop")
    os.kill(os.getpid(), signal.SIGKILL)
