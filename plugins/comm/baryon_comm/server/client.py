"""A worker's client of the parameter servers."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from baryon_comm.gradients.bucket import GROUP, SERVER, STEP, STOP_AT, VERSION, Bucket
from baryon_comm.mpi.progress_engine import Task
from baryon_comm.mpi.requests import wait_all
from baryon_comm.mpi.world import World
from baryon_comm.server.placement import Placement
from baryon_comm.server.protocol import ADOPT, GOODBYE, GRADIENT, REPLY, REQUEST, WEIGHTS, tag

CurrentWeights = Callable[[int], Bucket]
"""Returns the weights of a layer with which this worker computes, and their version."""


class ParameterServerClient:
    """Send gradients, fetch weights, and switch to the successor of a server that has died."""

    def __init__(
        self, world: World, placement: Placement, group: int, current: CurrentWeights
    ) -> None:
        self._world, self._channel = world, world.messages
        self._placement, self._group, self._current = placement, group, current
        self.awaited: set[int] = set()
        """Servers that have not answered yet."""

    def round_trip(self, gradient: Bucket, fresh: Bucket, step: int, stop_at: int) -> Task:
        """Send a layer's gradient to its server, and receive the weights into `fresh`."""
        layer = gradient.layer.index
        gradient.header[[STEP, GROUP, STOP_AT, VERSION]] = (
            step, self._group, stop_at, self._current(layer).header[VERSION],
        )  # fmt: skip
        while True:
            server = self._placement.server_of(layer)
            self.awaited.add(server)
            try:
                yield from self._hand_over(layer, server)
                receive = self._channel.Irecv(fresh.raw, server, tag(WEIGHTS, layer))
                send = self._channel.Isend(gradient.raw, server, tag(GRADIENT, layer))
                yield from wait_all([receive, send])
            except self._world.mpi.Exception:
                if not (yield from self._world.has_failed(server)):
                    raise
                self._placement.mark_failed(self._world.failed_ranks())
            else:
                self.awaited.discard(server)
                return

    def hand_over(self, layers: Iterable[int]) -> Task:
        """Hand the weights of dead servers' layers to their successors.

        Done at each synchronisation: a layer that only this group holds would otherwise be lost.
        """
        self._placement.mark_failed(self._world.failed_ranks())
        for layer in layers:
            server = self._placement.server_of(layer)
            try:
                yield from self._hand_over(layer, server)
            except self._world.mpi.Exception:
                if not (yield from self._world.has_failed(server)):
                    raise

    def _hand_over(self, layer: int, server: int) -> Task:
        """Send the current weights to the layer's server, unless they came from there."""
        if int(self._current(layer).header[SERVER]) != server:
            weights = self._current(layer).raw
            yield from wait_all([self._channel.Isend(weights, server, tag(ADOPT, layer))])

    def ask(self, server: int, *request: Any) -> Task:
        """Send a rare request and return the server's answer."""
        self.awaited.add(server)
        content = np.frombuffer(pickle.dumps(request), np.uint8)
        yield from wait_all([self._channel.Isend(content, server, tag(REQUEST))])
        status = self._world.mpi.Status()
        while (message := self._channel.Improbe(server, tag(REPLY), status)) is None:
            yield
        answer = np.empty(status.Get_count(), np.uint8)
        yield from wait_all([message.Irecv(answer)])
        self.awaited.discard(server)
        return pickle.loads(answer.data)  # noqa: S301  from our own ranks

    def ask_all(self, *request: Any) -> Task:
        """Return the answers of all servers alive, by rank."""
        answers = {}
        for server in self._placement.alive():
            try:
                answers[server] = yield from self.ask(server, *request)
            except self._world.mpi.Exception:
                if not (yield from self._world.has_failed(server)):
                    raise
        return answers


def goodbye(world: World, servers: Iterable[int]) -> Task:
    """Tell every server that this worker needs it no more."""
    content = np.frombuffer(pickle.dumps((GOODBYE,)), np.uint8)
    for server in servers:
        try:
            yield from wait_all([world.messages.Isend(content, server, tag(REQUEST))])
        except world.mpi.Exception:
            if not (yield from world.has_failed(server)):  # a dead server needs no goodbye
                raise
