"""A parameter server: applies gradients as they arrive and sends fresh weights back."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from baryon.errors import BaryonError
from baryon_comm.gradients.bucket import (
    GROUP,
    NEVER,
    SERVER,
    STALENESS,
    STEP,
    STOP,
    STOP_AT,
    VERSION,
    Bucket,
)
from baryon_comm.mpi.backoff import PollBackoff
from baryon_comm.mpi.requests import is_complete
from baryon_comm.mpi.world import World
from baryon_comm.server.layer_state import LayerState
from baryon_comm.server.protocol import (
    ADOPT,
    FETCH,
    GOODBYE,
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


class Server:
    """Serve until every worker has said goodbye or died."""

    def __init__(self, world: World, workers: int) -> None:
        self._world, self._mpi, self._channel = world, world.mpi, world.messages
        self._status = self._mpi.Status()
        self._served = set(range(workers))
        self._goodbyes = 0
        self._setup: SetUp
        self._layer_states: dict[int, LayerState] = {}
        self._received: dict[int, Bucket] = {}
        self._sends: list[Any] = []
        self._latest_step: dict[int, int] = {}
        self._stop_at = NEVER
        self._update_count, self._bytes, self._seconds = 0, 0, 0.0
        self._requests: dict[str, Callable[..., Any]] = {
            SET_UP: self._set_up,
            LOAD: self._load,
            STATE: self._state,
            FETCH: self._fetch,
            REPORT: self._report,
        }

    def serve(self) -> None:
        """Handle messages one by one, from any worker in the order in which they arrive.

        Raises `BaryonError` if no worker is left to end the run.
        """
        backoff = PollBackoff(self._world.poll_policy)
        while self._served:
            self._world.poll()
            if self._receive_next():
                backoff.reset()
            else:
                self._sends = [s for s in self._sends if not is_complete(s, self._mpi)]
                backoff.sleep(hurry=True)  # every worker that waits for weights stands still
        if not self._goodbyes:
            raise BaryonError(
                "all workers have died: go on from the last checkpoint with `baryon resume`"
            )

    def _receive_next(self) -> bool:
        """Handle the next message; return whether there was one."""
        message = self._probe(self._status)
        if message is None:
            return False
        status = self._status
        source, number, nbytes = status.Get_source(), status.Get_tag(), status.Get_count()
        try:
            self._receive(message, source, number, nbytes)
        except self._mpi.Exception:
            # A worker that dies while it sends is not an error of the server.
            if source not in self._world.wait_for_failures():
                raise
        return True

    def _probe(self, status: Any) -> Any:
        """Return the next message of any worker, if there is one; forget the dead."""
        try:
            return self._channel.Improbe(self._mpi.ANY_SOURCE, self._mpi.ANY_TAG, status)
        except self._mpi.Exception:
            if not self._world.tolerant:
                raise
            self._channel.Ack_failed()
            self._served -= self._world.failed_ranks()
            return None

    def _receive(self, message: Any, source: int, number: int, nbytes: int) -> None:
        kind, layer = untag(number)
        if kind == REQUEST:
            content = np.empty(nbytes, np.uint8)
            message.Recv(content)
            self._answer(source, pickle.loads(content.data))  # noqa: S301  from our own ranks
            return
        bucket = self._receive_bucket(layer)
        message.Recv(bucket.raw)
        started = time.perf_counter()
        if kind == ADOPT:
            self._layer_state(layer).adopt(bucket.values, int(bucket.header[VERSION]))
        elif kind == GRADIENT:
            self._apply_and_reply(layer, bucket, source)
            self._seconds += time.perf_counter() - started

    def _receive_bucket(self, layer: int) -> Bucket:
        if layer not in self._received:
            self._received[layer] = Bucket(self._setup.layers[layer])
        return self._received[layer]

    def _layer_state(self, layer: int) -> LayerState:
        if layer not in self._layer_states:
            setup = self._setup
            self._layer_states[layer] = LayerState(
                setup.layers[layer], setup.make_optimizer, setup.implicit_momentum, setup.policy
            )
        return self._layer_states[layer]

    def _apply_and_reply(self, layer: int, bucket: Bucket, source: int) -> None:
        header = bucket.header
        group, step = int(header[GROUP]), int(header[STEP])
        state = self._layer_state(layer)
        staleness = state.apply_gradient(bucket, group, step, int(header[VERSION]))
        self._note_stop(group, step, int(header[STOP_AT]), asked=bool(bucket.tail[STOP] > 0))
        self._update_count += 1
        self._bytes += bucket.raw.nbytes
        reply = state.reply_to(group)
        reply.header[[STEP, VERSION, STALENESS, STOP_AT, SERVER]] = (
            step, state.version, staleness, self._stop_at, self._world.rank,
        )  # fmt: skip
        send = self._channel.Isend(reply.raw, source, tag(WEIGHTS, layer))
        state.mark_in_flight(reply, partial(is_complete, send, self._mpi))
        self._sends.append(send)

    def _note_stop(self, group: int, step: int, known: int, *, asked: bool) -> None:
        """Choose the step after which all groups stop: the first that none can have passed."""
        # Groups are in different steps: a step that one has passed it could not stop after.
        others = [latest for g, latest in self._latest_step.items() if g != group]
        self._latest_step[group] = step
        if self._stop_at == NEVER and known != NEVER:
            self._stop_at = known
        elif self._stop_at == NEVER and asked:
            self._stop_at = max([step, *(other + 1 for other in others)])

    def _answer(self, source: int, request: tuple[Any, ...]) -> None:
        name, *arguments = request
        if name == GOODBYE:
            self._served.discard(source)
            self._goodbyes += 1
            return
        answer = np.frombuffer(pickle.dumps(self._requests[name](*arguments)), np.uint8)
        self._sends.append(self._channel.Isend(answer, source, tag(REPLY)))

    def _set_up(self, setup: SetUp) -> None:
        self._setup = setup
        for layer, values in setup.weights.items():
            state = self._layer_state(layer)
            state.put(values)
            # Create the optimizer now: the first one takes PyTorch a second.
            state.load({}, setup.layout.num_groups)

    def _load(self, weights: dict[int, Any], optimizer: dict[str, Any]) -> None:
        for layer, values in weights.items():
            state = self._layer_state(layer)
            state.put(values, state.version)
            state.load(optimizer, self._setup.layout.num_groups)

    def _state(self) -> dict[str, Any]:
        return {
            name: parameter_state
            for state in self._layer_states.values()
            for name, parameter_state in state.state().items()
        }

    def _fetch(self) -> dict[int, tuple[int, Any]]:
        states = self._layer_states.items()
        return {layer: (state.version, state.values.clone()) for layer, state in states}

    def _report(self) -> dict[str, Any]:
        return {
            "layers": {
                state.layer.name: {
                    "index": index,
                    "staleness": dict(state.staleness),
                    "dropped": state.dropped,
                    "momentum": state.momentum.mean,
                    "bytes": state.layer.nbytes,
                }
                for index, state in self._layer_states.items()
            },
            "updates": self._update_count,
            "bytes": self._bytes,
            "seconds": self._seconds,
        }
