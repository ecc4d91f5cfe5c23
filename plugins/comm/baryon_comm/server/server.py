"""A parameter server: gradients are applied as they arrive, fresh weights go back."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from baryon.errors import BaryonError
from baryon_comm.layers.layer import (
    GROUP,
    NEVER,
    SERVER,
    STALENESS,
    STEP,
    STOP,
    STOP_AT,
    VERSION,
    Packet,
)
from baryon_comm.server.protocol import (
    ADOPT,
    FAREWELL,
    FETCH,
    GRADIENT,
    LOAD,
    REPLY,
    REPORT,
    REQUEST,
    SET_UP,
    STATE,
    WEIGHTS,
    SetUp,
    tag,
    untag,
)
from baryon_comm.server.shelf import Shelf
from baryon_comm.world.rest import Rest
from baryon_comm.world.world import World


class Server:
    """Serves until every worker has said farewell or died."""

    def __init__(self, world: World, workers: int) -> None:
        self._world, self._mpi, self._wire = world, world.mpi, world.messages
        self._staying = set(range(workers))
        self._farewells = 0
        self._setup: SetUp
        self._shelves: dict[int, Shelf] = {}
        self._incoming: dict[int, Packet] = {}
        self._sends: list[Any] = []
        self._latest_step: dict[int, int] = {}
        self._stop_at = NEVER
        self._updates, self._bytes, self._seconds = 0, 0, 0.0
        self._requests: dict[str, Callable[..., Any]] = {
            SET_UP: self._set_up,
            LOAD: self._load,
            STATE: self._state,
            FETCH: self._fetch,
            REPORT: self._report,
        }

    def serve(self) -> None:
        """One message after the other; ranks that send keep their order, nobody is preferred.

        Raises `BaryonError` if no worker is left to end the run.
        """
        status, rest = self._mpi.Status(), Rest(self._world.habit)
        while self._staying:
            self._world.attend()
            message = self._probe(status)
            if message is None:
                self._sends = [send for send in self._sends if not self._sent(send)]
                rest.take(hurry=True)
                continue
            rest.happened()
            source, kind, size = status.Get_source(), status.Get_tag(), status.Get_count()
            try:
                self._take(message, source, kind, size)
            except self._mpi.Exception:
                if source not in self._world.dead_soon():  # else it died while it was sending
                    raise
        if not self._farewells:
            raise BaryonError(
                "all workers have died: go on from the last checkpoint with `baryon resume`"
            )

    def _probe(self, status: Any) -> Any:
        """The next message of anyone, if there is one; notes the dead."""
        try:
            return self._wire.Improbe(self._mpi.ANY_SOURCE, self._mpi.ANY_TAG, status)
        except self._mpi.Exception:
            if not self._world.tolerant:
                raise
            self._wire.Ack_failed()
            self._staying -= self._world.dead()
            return None

    def _sent(self, send: Any) -> bool:
        try:
            return bool(send.Test())
        except self._mpi.Exception:
            return True  # who asked for it is dead

    def _take(self, message: Any, source: int, number: int, size: int) -> None:
        kind, layer = untag(number)
        if kind == REQUEST:
            buffer = np.empty(size, np.uint8)
            message.Recv(buffer)
            self._answer(source, pickle.loads(buffer.data))  # noqa: S301  from our own ranks
            return
        packet = self._packet(layer)
        message.Recv(packet.raw)
        started = time.perf_counter()
        if kind == ADOPT:
            self._shelf(layer).adopt(packet.values, int(packet.header[VERSION]))
        elif kind == GRADIENT:
            self._apply(layer, packet, source)
            self._seconds += time.perf_counter() - started

    def _packet(self, layer: int) -> Packet:
        if layer not in self._incoming:
            self._incoming[layer] = Packet(self._setup.layers[layer])
        return self._incoming[layer]

    def _shelf(self, layer: int) -> Shelf:
        if layer not in self._shelves:
            setup = self._setup
            self._shelves[layer] = Shelf(
                setup.layers[layer], setup.update, setup.momentum_less, setup.remedy
            )
        return self._shelves[layer]

    def _apply(self, layer: int, packet: Packet, source: int) -> None:
        header = packet.header
        group, step = int(header[GROUP]), int(header[STEP])
        shelf = self._shelf(layer)
        staleness = shelf.apply(packet, group, step, int(header[VERSION]))
        self._note_stop(group, step, int(header[STOP_AT]), asked=bool(packet.tail[STOP] > 0))
        self._updates += 1
        self._bytes += packet.raw.nbytes
        reply = shelf.reply_to(group)
        reply.header[[STEP, VERSION, STALENESS, STOP_AT, SERVER]] = (
            step, shelf.version, staleness, self._stop_at, self._world.rank,
        )  # fmt: skip
        send = self._wire.Isend(reply.raw, source, tag(WEIGHTS, layer))
        shelf.leaves(reply, partial(self._sent, send))
        self._sends.append(send)

    def _note_stop(self, group: int, step: int, known: int, *, asked: bool) -> None:
        """All groups stop after the same step: the first that none of them can have passed."""
        others = [s for g, s in self._latest_step.items() if g != group]
        self._latest_step[group] = step
        if self._stop_at == NEVER and known != NEVER:
            self._stop_at = known
        elif self._stop_at == NEVER and asked:
            self._stop_at = max([step, *(other + 1 for other in others)])

    def _answer(self, source: int, request: tuple[Any, ...]) -> None:
        name, *arguments = request
        if name == FAREWELL:
            self._staying.discard(source)
            self._farewells += 1
            return
        answer = np.frombuffer(pickle.dumps(self._requests[name](*arguments)), np.uint8)
        self._sends.append(self._wire.Isend(answer, source, tag(REPLY)))

    def _set_up(self, setup: SetUp) -> None:
        self._setup = setup
        for layer, values in setup.weights.items():
            shelf = self._shelf(layer)
            shelf.put(values)
            shelf.load({}, setup.layout.groups)  # the first optimiser takes PyTorch a second

    def _load(self, weights: dict[int, Any], state: dict[str, Any]) -> None:
        for layer, values in weights.items():
            shelf = self._shelf(layer)
            shelf.put(values, shelf.version)
            shelf.load(state, self._setup.layout.groups)

    def _state(self) -> dict[str, Any]:
        return {
            name: one for shelf in self._shelves.values() for name, one in shelf.state().items()
        }

    def _fetch(self) -> dict[int, tuple[int, Any]]:
        return {n: (shelf.version, shelf.values.clone()) for n, shelf in self._shelves.items()}

    def _report(self) -> dict[str, Any]:
        return {
            "layers": {
                shelf.layer.name: {
                    "index": number,
                    "staleness": dict(shelf.staleness),
                    "dropped": shelf.dropped,
                    "momentum": shelf.momentum.mean,
                    "bytes": shelf.layer.nbytes,
                }
                for number, shelf in self._shelves.items()
            },
            "updates": self._updates,
            "bytes": self._bytes,
            "seconds": self._seconds,
        }
