"""Is everybody there, and at what? A rank answers whatever it is busy with, unless it hangs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from baryon_comm.world.courier import Task

SECONDS = 10.0  # a rank on a machine that has too much to do may be late
COMPUTING = "computing"
CALL, HERE = range(2)
LENGTH = 200


class RollCall:
    """Asks others, and answers with what its own rank does."""

    def __init__(self, mpi: Any, wire: Any) -> None:
        """`wire` is a communicator of all ranks for this alone."""
        self._mpi, self._wire = mpi, wire
        self.doing: Callable[[], str] = lambda: "starting"
        self._sends: list[Any] = []

    def attend(self) -> None:
        """Answer those who call."""
        self._sends = [send for send in self._sends if not self._ended(send)]
        status = self._mpi.Status()
        while (message := self._probe(CALL, status)) is not None:
            message.Recv(np.empty(LENGTH, np.uint8))
            self._send(status.Get_source(), HERE, self.doing())

    def call(self, ranks: Iterable[int]) -> Task:
        """What each of the ranks that answer is doing; a rank that hangs is missing."""
        awaited = set(ranks)
        found: dict[int, str] = {}
        for rank in awaited:
            self._send(rank, CALL, "")
        until = time.monotonic() + SECONDS
        status = self._mpi.Status()
        while awaited - found.keys() and time.monotonic() < until:
            while (message := self._probe(HERE, status)) is not None:
                text = np.empty(LENGTH, np.uint8)
                message.Recv(text)
                found[status.Get_source()] = text.tobytes().rstrip(b"\0").decode(errors="replace")
            yield
        return found

    def _probe(self, kind: int, status: Any) -> Any:
        try:
            return self._wire.Improbe(self._mpi.ANY_SOURCE, kind, status)
        except self._mpi.Exception:
            self._wire.Ack_failed()  # someone died, anyone else may be heard again
            return None

    def _send(self, rank: int, kind: int, text: str) -> None:
        content = np.zeros(LENGTH, np.uint8)
        encoded = text.encode()[:LENGTH]
        content[: len(encoded)] = np.frombuffer(encoded, np.uint8)
        try:
            self._sends.append(self._wire.Isend(content, rank, kind))
        except self._mpi.Exception:
            return  # it has died

    def _ended(self, send: Any) -> bool:
        try:
            return bool(send.Test())
        except self._mpi.Exception:
            return True  # who was to hear it is dead
