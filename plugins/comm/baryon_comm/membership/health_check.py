"""Health check: which ranks answer, and what they are doing. Only a hung rank stays silent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from baryon_comm.mpi.progress_engine import Task
from baryon_comm.mpi.requests import is_complete

TIMEOUT_SECONDS = 10.0  # generous: a rank on an overloaded machine may answer late
QUESTION, ANSWER = range(2)  # MPI tags
MESSAGE_BYTES = 200  # fixed, so that a question or an answer is one small message


class Activity(IntEnum):
    """What a rank is busy with."""

    COMPUTING = 0
    WAITING = 1
    SERVING = 2


@dataclass(frozen=True)
class RankState:
    """What a rank says of itself: its activity, and a description for people."""

    activity: Activity
    description: str

    def encode(self) -> bytes:
        """One byte for the activity, then the description, cut to the message's length."""
        return bytes([self.activity]) + self.description.encode()[: MESSAGE_BYTES - 1]

    @classmethod
    def decode(cls, message: bytes) -> RankState:
        """Read what `encode` wrote; padding zeros are dropped."""
        description = message[1:].rstrip(b"\0").decode(errors="replace")
        return cls(Activity(message[0]), description)


class HealthCheck:
    """Ask other ranks for their state, and answer with this rank's."""

    def __init__(self, mpi: Any, channel: Any, state: Callable[[], RankState]) -> None:
        """Answer on `channel`, a communicator of all ranks used for nothing else, with `state`."""
        self._mpi, self._channel, self._state = mpi, channel, state
        self._sends: list[Any] = []

    def poll(self) -> None:
        """Answer the questions that have arrived; call it often, whatever the rank is doing."""
        self._sends = [send for send in self._sends if not is_complete(send, self._mpi)]
        status = self._mpi.Status()
        while (message := self._probe(QUESTION, status)) is not None:
            message.Recv(np.empty(MESSAGE_BYTES, np.uint8))
            self._send(status.Get_source(), ANSWER, self._state().encode())

    def ask(self, ranks: Iterable[int]) -> Task:
        """Return the state of each of `ranks` that answers in time; a hung rank is missing."""
        asked = set(ranks)
        states: dict[int, RankState] = {}
        for rank in asked:
            self._send(rank, QUESTION, b"")
        deadline = time.monotonic() + TIMEOUT_SECONDS
        status = self._mpi.Status()
        while asked - states.keys() and time.monotonic() < deadline:
            while (message := self._probe(ANSWER, status)) is not None:
                content = np.empty(MESSAGE_BYTES, np.uint8)
                message.Recv(content)
                states[status.Get_source()] = RankState.decode(content.tobytes())
            yield
        return states

    def _probe(self, tag: int, status: Any) -> Any:
        try:
            return self._channel.Improbe(self._mpi.ANY_SOURCE, tag, status)
        except self._mpi.Exception:
            # A rank has died: acknowledge it, so that others can be received from again.
            self._channel.Ack_failed()
            return None

    def _send(self, rank: int, tag: int, message: bytes) -> None:
        content = np.zeros(MESSAGE_BYTES, np.uint8)
        content[: len(message)] = np.frombuffer(message, np.uint8)
        try:
            self._sends.append(self._channel.Isend(content, rank, tag))
        except self._mpi.Exception:
            return  # the receiver has died
