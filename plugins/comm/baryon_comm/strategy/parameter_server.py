"""Strategy of `async` and `hybrid`: parameter servers apply each group's gradient.

The optimizer and its state are on the servers alone. A layer's round trip to its server runs while
backward is still busy with the layers before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from baryon.interfaces import OptimizerFactory
from baryon_comm.gradients.bucket import NEVER, SERVER, STALENESS, STOP_AT, VERSION, Bucket
from baryon_comm.mpi.progress_engine import Task
from baryon_comm.server.client import ParameterServerClient
from baryon_comm.server.placement import Placement
from baryon_comm.server.protocol import FETCH, LOAD, REPORT, SET_UP, STATE, SetUp
from baryon_comm.server.report import server_summary
from baryon_comm.server.staleness import StalenessPolicy
from baryon_comm.strategy.base import Strategy, StrategyContext
from baryon_comm.strategy.history import History
from baryon_comm.strategy.posting_order import PostingOrder

Origin = tuple[int, ...]
"""A layer's version, and the server that it came from."""


class ParameterServerStrategy(Strategy):
    """Members sum, the root asks the layer's server, the root broadcasts the fresh weights."""

    survives = True

    _context: StrategyContext

    def __init__(self, policy: StalenessPolicy, *, momentum_correction: bool) -> None:
        self._policy, self._correct_momentum = policy, momentum_correction
        # The weights of the current step, and those that are arriving for the next one.
        self._current: list[Bucket] = []
        self._next: list[Bucket] = []
        self._sums: dict[int, Bucket] = {}
        self._received_step: list[int] = []
        self._posting_order = PostingOrder()
        self._staleness: list[list[int]] = []
        self._history = History()
        self._previous_version, self._steps = 0, 0

    def start(self, context: StrategyContext, make_optimizer: OptimizerFactory) -> None:
        """Tell the servers which layers they hold and how to update them."""
        self._context = context
        self._placement = Placement(context.layers, list(context.layout.server_ranks()))
        pinned = context.parameters[0][0].device.type == "cuda"
        self._current = [Bucket(layer, pinned=pinned) for layer in context.layers]
        self._next = [Bucket(layer, pinned=pinned) for layer in context.layers]
        self._received_step = [NEVER] * len(context.layers)
        for bucket in self._current:
            bucket.header[STOP_AT] = NEVER
        servers = [self._placement.server_of(layer.index) for layer in context.layers]
        self.synchronized([(0, server) for server in servers])
        self._client = ParameterServerClient(
            context.world,
            self._placement,
            context.layout.group_of(context.world.rank),
            lambda layer: self._current[layer],
        )
        if context.is_leader():
            context.engine.run(
                self._set_up(make_optimizer), "setting up the servers", context.timeout
            )

    def _set_up(self, make_optimizer: OptimizerFactory) -> Task:
        layout = self._context.layout
        for server in layout.server_ranks():
            weights = {n: self._current[n].values for n in self._placement.layers_of(server)}
            setup = SetUp(
                layers=self._context.layers,
                make_optimizer=make_optimizer,
                implicit_momentum=self._implicit_momentum(),
                policy=self._policy,
                layout=layout,
                weights=weights,
            )
            yield from self._client.ask(server, SET_UP, setup)

    def _implicit_momentum(self) -> float:
        """Return the momentum that G groups bring by themselves, 1 - 1/G (arXiv:1605.09774)."""
        return 1 - 1 / self._context.layout.num_groups if self._correct_momentum else 0.0

    def begin(self, step: int, *, stop: bool) -> None:
        """Start a new posting order, also when a step is repeated after a death."""
        del step, stop
        self._posting_order = PostingOrder()

    def exchange_bucket(self, gradient: Bucket, step: int, expected: float | None) -> Task:
        """Sum in the group, ask the server, broadcast the fresh weights in fixed order."""
        order = self._posting_order
        with order.watch_failure():
            yield from self._update_on_server(gradient, step, expected)
            layer = gradient.layer.index
            yield from order.wait_for(layer)
            for _ in self._context.group.broadcast(self._next[layer]):
                order.mark_posted(layer)
                yield
            order.mark_posted(layer)

    def _update_on_server(self, gradient: Bucket, step: int, expected: float | None) -> Task:
        """On the root: send the group's gradient, receive the weights, unless they came already."""
        group, layer = self._context.group, gradient.layer.index
        total = self._sum_bucket(gradient)
        yield from group.mean_on_root(gradient, total, expected)
        # After a death the step is repeated; weights that have come need not be asked for again.
        if group.rank == 0 and self._received_step[layer] < step:
            yield from total.copy_to_host()
            stop_at = int(self._current[layer].header[STOP_AT])
            yield from self._client.round_trip(total, self._next[layer], step, stop_at)
            self._received_step[layer] = step

    def _sum_bucket(self, gradient: Bucket) -> Bucket:
        """Return where a group's sum goes; the gradients are kept in case a member dies."""
        if len(self._context.group) == 1:
            return gradient
        layer = gradient.layer.index
        if layer not in self._sums:
            self._sums[layer] = gradient.empty_like()
        return self._sums[layer]

    def finish(self, step: int, gradients: list[Bucket]) -> None:
        """Use the fresh weights as the model's."""
        del gradients
        self._current, self._next = self._next, self._current
        self._steps += 1
        self._staleness.append([int(bucket.header[STALENESS]) for bucket in self._current])
        self._history.add(step + 1, sum(self._staleness[-1]) / len(self._current))
        self._put_into_model()

    def _put_into_model(self) -> None:
        """Point a CPU model's parameters at the buckets; copy to a GPU.

        The two buckets of a layer take turns, so no copy of all layers is made in a step. Nothing
        may therefore keep a parameter's memory from one step to the next: keep the parameter.
        """
        for parameters, bucket in zip(self._context.parameters, self._current, strict=True):
            if parameters[0].device.type == "cpu":
                for parameter, view in zip(parameters, bucket.parameters, strict=True):
                    parameter.data = view
            else:
                torch._foreach_copy_([p.data for p in parameters], bucket.parameters)

    def stops(self, step: int, gradients: list[Bucket]) -> bool:
        """Stop after the step that the first layer's server has named."""
        del gradients
        return int(self._current[0].header[STOP_AT]) == step

    def catch_up(self, root: int) -> Task:
        """Take the weights of a step from the member that has finished it."""
        group = self._context.group
        for bucket in self._current if group.rank == root else self._next:
            yield from group.broadcast(bucket, root)

    def synchronize(self) -> Task:
        """On the leader: fetch the servers' weights; their origins are the notes for all."""
        if self._context.group.rank == 0:
            yield from self._client.hand_over(range(len(self._current)))
        if not self._context.is_leader():
            return None
        answers = yield from self._client.ask_all(FETCH)
        latest = {
            layer: (version, server, values)
            for server, layers in answers.items()
            for layer, (version, values) in layers.items()
            # A server that was given up for dead may still answer, with weights of before.
            if self._placement.server_of(layer) == server
        }
        for layer, (version, server, values) in latest.items():
            self._current[layer].values.copy_(values)
            self._current[layer].header[[VERSION, SERVER]] = version, server
        self._put_into_model()
        return self._origins()

    def _origins(self) -> list[Origin]:
        return [tuple(bucket.header[[VERSION, SERVER]].tolist()) for bucket in self._current]

    def synchronized(self, notes: Any) -> None:
        """Copy the model's weights into the buckets, with the origins that the leader noted."""
        with torch.no_grad():
            for parameters, bucket in zip(self._context.parameters, self._current, strict=True):
                torch._foreach_copy_(bucket.parameters, [p.data for p in parameters])
        for bucket, origin in zip(self._current, notes, strict=True):
            bucket.header[[VERSION, SERVER]] = origin

    def state(self) -> Task:
        """Return the optimizer's state, collected from the servers."""
        answers = yield from self._client.ask_all(STATE)
        return {"optimizer": {k: v for answer in answers.values() for k, v in answer.items()}}

    def load(self, state: Mapping[str, Any]) -> Task:
        """On the leader: send weights and optimizer state to the servers."""
        self.synchronized(self._origins())
        if not self._context.is_leader():
            return
        for server in self._placement.alive():
            weights = {n: self._current[n].values for n in self._placement.layers_of(server)}
            yield from self._client.ask(server, LOAD, weights, dict(state["optimizer"]))

    def awaited_ranks(self) -> set[int]:
        """Return the servers that have not answered yet."""
        return self._client.awaited

    def metrics(self) -> dict[str, float]:
        """Return the group's mean staleness, of all and by layer, and the updates in its steps."""
        values = {}
        if self._staleness and self._context.group.rank == 0:
            by_layer = [sum(layer) / len(layer) for layer in zip(*self._staleness, strict=True)]
            values["staleness"] = sum(by_layer) / len(by_layer)
            names = (bucket.layer.name for bucket in self._current)
            values |= {f"staleness_{n}": s for n, s in zip(names, by_layer, strict=True)}
        version = int(self._current[0].header[VERSION])
        if self._steps:
            values["updates_per_step"] = (version - self._previous_version) / self._steps
        self._previous_version, self._steps, self._staleness = version, 0, []
        return values

    def staleness_by_step(self) -> list[tuple[int, float]]:
        """Return the mean over the layers by step."""
        return self._history.entries()

    def summary(self) -> Task:
        """Return staleness, momentum, and what the servers did."""
        answers = yield from self._client.ask_all(REPORT)
        return server_summary(answers, self._context.world.hosts)
