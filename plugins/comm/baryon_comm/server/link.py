"""A worker's way to the parameter servers."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from baryon_comm.layers.layer import GROUP, SERVER, STEP, STOP_AT, VERSION, Packet
from baryon_comm.server.placement import Placement
from baryon_comm.server.protocol import (
    ADOPT,
    FAREWELL,
    GRADIENT,
    REPLY,
    REQUEST,
    WEIGHTS,
    tag,
)
from baryon_comm.world.courier import Task
from baryon_comm.world.requests import finished
from baryon_comm.world.world import World

Held = Callable[[int], Packet]


class Link:
    """Sends gradients, fetches weights, and finds another server when one has died."""

    def __init__(self, world: World, placement: Placement, group: int, held: Held) -> None:
        """`held` gives the weights of a layer that this worker computes with, and their version."""
        self._world, self._wire = world, world.messages
        self._placement, self._group, self._held = placement, group, held
        self.awaited: set[int] = set()
        """Servers that have not answered yet."""

    def round_trip(self, gradient: Packet, fresh: Packet, step: int, stop_at: int) -> Task:
        """A layer's gradient to its server, and fresh weights into `fresh`."""
        layer = gradient.layer.index
        gradient.header[[STEP, GROUP, STOP_AT, VERSION]] = (
            step, self._group, stop_at, self._held(layer).header[VERSION],
        )  # fmt: skip
        while True:
            server = self._placement.server_of(layer)
            self.awaited.add(server)
            try:
                yield from self._hand_over(layer, server)
                back = self._wire.Irecv(fresh.raw, server, tag(WEIGHTS, layer))
                out = self._wire.Isend(gradient.raw, server, tag(GRADIENT, layer))
                yield from finished([back, out])
            except self._world.mpi.Exception:
                if not (yield from self._world.died(server)):
                    raise
                self._placement.bury(self._world.dead())
            else:
                self.awaited.discard(server)
                return

    def hand_over(self, layers: Iterable[int]) -> Task:
        """What is held here of dead servers' layers; else it would be lost at a meeting of all."""
        self._placement.bury(self._world.dead())
        for layer in layers:
            server = self._placement.server_of(layer)
            try:
                yield from self._hand_over(layer, server)
            except self._world.mpi.Exception:
                if not (yield from self._world.died(server)):
                    raise

    def _hand_over(self, layer: int, server: int) -> Task:
        """The weights held here to the layer's heir, unless they came from there already."""
        if int(self._held(layer).header[SERVER]) != server:
            yield from finished(
                [self._wire.Isend(self._held(layer).raw, server, tag(ADOPT, layer))]
            )

    def ask(self, server: int, *request: Any) -> Task:
        """A rare request, and its answer."""
        self.awaited.add(server)
        sent = np.frombuffer(pickle.dumps(request), np.uint8)
        yield from finished([self._wire.Isend(sent, server, tag(REQUEST))])
        status = self._world.mpi.Status()
        while (message := self._wire.Improbe(server, tag(REPLY), status)) is None:
            yield
        answer = np.empty(status.Get_count(), np.uint8)
        yield from finished([message.Irecv(answer)])
        self.awaited.discard(server)
        return pickle.loads(answer.data)  # noqa: S301  from our own ranks

    def ask_all(self, *request: Any) -> Task:
        """The answers of all servers alive, by rank."""
        answers = {}
        for server in self._placement.alive():
            try:
                answers[server] = yield from self.ask(server, *request)
            except self._world.mpi.Exception:
                if not (yield from self._world.died(server)):
                    raise
        return answers


def farewell(world: World, servers: Iterable[int]) -> Task:
    """Tell every server that this worker needs it no more."""
    sent = np.frombuffer(pickle.dumps((FAREWELL,)), np.uint8)
    for server in servers:
        try:
            yield from finished([world.messages.Isend(sent, server, tag(REQUEST))])
        except world.mpi.Exception:
            if not (yield from world.died(server)):  # else it needs to know no more
                raise
