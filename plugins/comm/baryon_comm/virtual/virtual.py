"""Communicator `virtual`: asynchronous groups one after the other in one process.

Each step of the run is a step of one group, with the batch of that group: the model holds the
weights that the group has read, its gradient goes to the servers' state as it would by MPI, and the
group whose step ends next in virtual time is the next one. How long steps take is drawn from the
description of a machine, so staleness arises as it would there, and a run is the same to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from baryon.errors import BaryonError
from baryon.interfaces import CommunicatorSummary, DataShard, OptimizerFactory
from baryon.launch.environment import cluster_environment
from baryon.scaling.group_clock import GroupClock
from baryon.scaling.job import Job
from baryon.scaling.measurement import read_machine_and_network
from baryon_comm.gradients.bucket import PRESENT, Bucket
from baryon_comm.gradients.layer import split_into_layers
from baryon_comm.server.layer_state import LayerState
from baryon_comm.server.report import server_summary
from baryon_comm.server.staleness import StalenessPolicy
from baryon_comm.virtual.schedule import Schedule

VIRTUAL = "virtual"
NO_WORK = {"updates": 0, "bytes": 0, "seconds": 0.0}
"""What a server reports beside its layers: virtual ones are not timed."""


def virtual(
    *,
    machine: str,
    network: str | None,
    workers: int,
    groups: int,
    servers: int,
    samples: int,
    seed: int,
    momentum_correction: bool,
    staleness_policy: str,
    compensation: float,
    max_staleness: int,
) -> Virtual:
    """Return the one process of a virtual run; see `conf/comm/virtual.yaml` for the options.

    Raises `BaryonError` if several processes were started, or for a job that cannot be.
    """
    environment = cluster_environment()
    if environment.ranks > 1:
        raise BaryonError(
            f"comm=virtual is one process, but {environment.by} started {environment.ranks}: "
            "choose comm=hybrid, or start it without"
        )
    policy = StalenessPolicy(staleness_policy, compensation, max_staleness)
    job = Job(workers, groups, servers, samples)
    clock = GroupClock(*read_machine_and_network(machine, network), job, seed)
    # arXiv:1605.09774: asynchronous groups act like a momentum of 1 - 1/groups.
    implicit = 1 - 1 / groups if momentum_correction else 0.0
    return Virtual(job, Schedule(clock, groups), policy, implicit)


class Virtual:
    """All groups and servers of a hybrid run, in one process."""

    is_server = False
    is_leader = True
    shard = DataShard()

    _layers: list[LayerState]
    _parameters: list[list[torch.nn.Parameter]]

    def __init__(
        self, job: Job, schedule: Schedule, policy: StalenessPolicy, implicit_momentum: float
    ) -> None:
        self._job, self._schedule, self._policy = job, schedule, policy
        self._implicit_momentum = implicit_momentum
        self._step, self._samples, self._stop = 0, 0, False
        # Weights that each group computes with, and their versions, both by layer.
        self._held: list[list[torch.Tensor]] = []
        self._seen: list[list[int]] = []
        self._missed: list[list[int]] = []

    def all_gather_object(self, value: Any) -> list[Any]:
        """Return the only value."""
        return [value]

    def start(self, model: torch.nn.Module, make_optimizer: OptimizerFactory) -> None:
        """Give all groups the model's weights."""
        layers, self._parameters = split_into_layers(model)
        self._layers = [
            LayerState(layer, make_optimizer, self._implicit_momentum, self._policy)
            for layer in layers
        ]
        self._gradients = [Bucket(layer) for layer in layers]
        self._take_weights_of_model()

    def _take_weights_of_model(self) -> None:
        """Put the model's weights onto the servers, and give them to all groups."""
        for state, parameters in zip(self._layers, self._parameters, strict=True):
            values = torch.zeros_like(state.values)
            _copy(state.layer.view(values), [parameter.data for parameter in parameters])
            state.put(values, state.version)
        self._give_to_all()

    def _give_to_all(self) -> None:
        groups = range(self._job.groups)
        for group in groups:
            for state in self._layers:
                # Policies note what they give; where all meet, that is what is evaluated, too.
                state.reply_to(group)
        self._held = [[state.values.clone() for state in self._layers] for _ in groups]
        self._seen = [[state.version for state in self._layers] for _ in groups]
        self._put_into_model(self._held[self._schedule.group])

    def _put_into_model(self, weights: list[torch.Tensor]) -> None:
        for state, parameters, values in zip(self._layers, self._parameters, weights, strict=True):
            _copy([parameter.data for parameter in parameters], state.layer.view(values))

    def begin(self, step: int, samples: int, batch_size: int, *, stop: bool) -> None:
        """Record the number of the step."""
        del batch_size
        self._step, self._samples, self._stop = step, samples, stop

    def step(self) -> bool:
        """Apply the gradient of the group whose step ends now, and turn to the next one."""
        group = self._schedule.group
        missed = []
        for number, state in enumerate(self._layers):
            gradient = self._gradient(number)
            missed.append(
                state.apply_gradient(gradient, group, self._step, self._seen[group][number])
            )
            self._held[group][number].copy_(state.reply_to(group).values)
            self._seen[group][number] = state.version
        self._missed.append(missed)
        self._schedule.end_step()
        self._put_into_model(self._held[self._schedule.group])
        return self._stop

    def _gradient(self, number: int) -> Bucket:
        """Move a layer's gradient from the model into its bucket."""
        bucket = self._gradients[number]
        bucket.summed.zero_()
        for parameter, view in zip(self._parameters[number], bucket.parameters, strict=True):
            if parameter.grad is not None and self._samples:
                view.copy_(parameter.grad)
                bucket.tail[PRESENT] = 1
            # What is left there would be added to the next group's gradient.
            parameter.grad = None
        return bucket

    def synchronize(self) -> None:
        """Let all groups meet: each goes on from the servers' weights, at the same time."""
        self._schedule.begin_together()
        self._give_to_all()

    def serve(self) -> None:
        """No-op: the servers are in this process."""

    def all_reduce_sum(
        self, values: Mapping[str, float], *, in_group: bool = False
    ) -> dict[str, float]:
        """Return the values: the sum over one process."""
        del in_group
        return dict(values)

    def gather(self, value: Any) -> list[Any]:
        """Return the only value."""
        return [value]

    def broadcast(self, value: Any) -> Any:
        """Return the value."""
        return value

    def metrics(self) -> dict[str, float]:
        """Return virtual time, and the mean staleness since the last call, of all and by layer."""
        values = {"virtual_seconds": self._schedule.seconds}
        if self._missed:
            by_layer = [sum(layer) / len(layer) for layer in zip(*self._missed, strict=True)]
            values["staleness"] = sum(by_layer) / len(by_layer)
            names = (state.layer.name for state in self._layers)
            values |= {f"staleness_{n}": s for n, s in zip(names, by_layer, strict=True)}
        self._missed = []
        return values

    def summary(self) -> CommunicatorSummary:
        """Return staleness and momentum by layer, and the virtual time."""
        layers = {
            state.layer.name: {
                "index": state.layer.index,
                "staleness": dict(state.staleness),
                "dropped": state.dropped,
                "momentum": state.momentum.mean,
                "bytes": state.layer.nbytes,
            }
            for state in self._layers
        }
        result = server_summary({0: {"layers": layers, **NO_WORK}}, [VIRTUAL])
        tables = {"layers": result.tables["layers"]}
        metrics = {**result.metrics, "virtual_seconds": self._schedule.seconds}
        return CommunicatorSummary(metrics, tables, result.figures)

    def state_dict(self) -> dict[str, Any]:
        """Return the optimizers' state, and where virtual time stands."""
        optimizer: dict[str, Any] = {}
        for state in self._layers:
            optimizer |= state.state()
        return {"optimizer": optimizer, VIRTUAL: self._schedule.state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`, or from the state of another communicator."""
        for layer in self._layers:
            layer.load(state["optimizer"], self._job.groups)
        if VIRTUAL in state:
            self._schedule.load(state[VIRTUAL])
        self._take_weights_of_model()

    def abort(self, message: str) -> None:
        """No-op: there is no other process to end."""

    def close(self) -> None:
        """No-op: there is nothing to leave."""


def _copy(into: list[torch.Tensor], values: list[torch.Tensor]) -> None:
    with torch.no_grad():
        torch._foreach_copy_(into, values)
