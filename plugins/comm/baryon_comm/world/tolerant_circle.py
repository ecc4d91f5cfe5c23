"""A circle that outlives its members: values go to the first one alive and come back from it.

MPI's repair of a communicator blocks until all survivors take part in it, but they may be waiting
elsewhere for one another. Here nobody blocks: everything is a message between two ranks, and a wait
can be broken off and made again. Calls are numbered. Whoever lost the first member before its
answer came votes again at the next one alive; that one first asks whether any survivor has had the
answer already, for then it must be the same for all. It is one round of a replicated log with a
failure detector that does not err: MPI's, which tells of processes that have really ended.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from baryon_comm.world.courier import Task

VOTE, ANSWER, QUESTION = range(3)
SECONDS_BETWEEN_QUESTIONS = 0.1

Message = tuple[int, int, bytes]
"""Kind, number of the call, and what is said: a pickled value, or the answer."""


class TolerantCircle:
    """Members send votes to the first one alive; its answer holds all values and who gave them."""

    def __init__(
        self, mpi: Any, wire: Any, tag: int, ranks: Sequence[int], dead: Callable[[], set[int]]
    ) -> None:
        """`wire` is a communicator of the world's ranks, with `tag` for this circle alone.

        `dead` tells the ranks that are known to have ended.
        """
        self._mpi, self._wire, self._tag, self._dead = mpi, wire, tag, dead
        self._me = int(wire.rank)
        self.ranks = list(ranks)
        self._number = 0
        self._last = b""  # the answer of the call before
        self._found: bytes | None = None
        self._told: int | None = None
        self._votes: dict[int, tuple[int, bytes]] = {}
        self._asked_at = 0.0
        self._sends: list[Any] = []

    def gather(self, value: Any) -> Task:
        """All values in the order of `ranks`, which no longer has the members that died.

        It may be broken off; then the same call, with the same value, must be made again.
        """
        own = pickle.dumps(value)
        while True:
            self.attend()
            alive = self._alive()
            if alive[0] == self._me:
                self._told = None
                self._collect(alive, own)
            elif self._told != alive[0]:
                self._told = alive[0]
                self._send(alive[0], VOTE, self._number, own)
            if self._found is not None:
                return self._conclude(self._found)
            yield

    def _alive(self) -> list[int]:
        dead = self._dead()
        return [rank for rank in self.ranks if rank not in dead]

    def _collect(self, alive: Sequence[int], own: bytes) -> None:
        """As the first: answer when everyone alive has voted, as far as nobody has an answer."""
        votes = {r: vote for r, (number, vote) in self._votes.items() if number == self._number}
        votes[self._me] = own
        missing = [rank for rank in alive if rank not in votes]
        if not missing and self._found is None:
            values = [(rank, votes[rank]) for rank in alive]
            self._found = pickle.dumps(values)
        replaces = self._me != self.ranks[0]
        if missing and replaces and time.monotonic() > self._asked_at + SECONDS_BETWEEN_QUESTIONS:
            self._asked_at = time.monotonic()
            for rank in missing:
                self._send(rank, QUESTION, self._number, b"")

    def _conclude(self, answer: bytes) -> list[Any]:
        number, self._number = self._number, self._number + 1
        self._last, self._found, self._told = answer, None, None
        for rank, (voted, _) in list(self._votes.items()):
            if voted == number:
                del self._votes[rank]
                self._send(rank, ANSWER, number, answer)
        values = pickle.loads(answer)  # noqa: S301  from our own ranks
        self.ranks = [rank for rank, _ in values]
        return [pickle.loads(value) for _, value in values]  # noqa: S301

    def attend(self) -> None:
        """Take in what others say, and help those who missed an answer that came here."""
        self._sends = [send for send in self._sends if not self._ended(send)]
        status = self._mpi.Status()
        while (message := self._probe(status)) is not None:
            source, content = status.Get_source(), np.empty(status.Get_count(), np.uint8)
            try:
                message.Recv(content)
            except self._mpi.Exception:
                continue  # it died while it was sending
            kind, number, said = pickle.loads(content.data)  # noqa: S301  from our own ranks
            self._take(source, kind, number, said)

    def _take(self, source: int, kind: int, number: int, said: bytes) -> None:
        missed = number == self._number - 1
        if kind in (VOTE, QUESTION) and missed:
            self._send(source, ANSWER, number, self._last)
        elif kind == VOTE:
            self._votes[source] = (number, said)
            if number > self._number:  # it knows the answer that is sought here
                self._send(source, QUESTION, self._number, b"")
        elif kind == ANSWER and number == self._number and self._may_answer(source):
            self._found = said

    def _may_answer(self, source: int) -> bool:
        """Not one that has died since and been replaced: its answer might no longer be the one."""
        return self._told in (None, source)

    def _probe(self, status: Any) -> Any:
        try:
            return self._wire.Improbe(self._mpi.ANY_SOURCE, self._tag, status)
        except self._mpi.Exception:
            self._wire.Ack_failed()  # someone died, anyone else may be heard again
            return None

    def _send(self, rank: int, kind: int, number: int, said: bytes) -> None:
        content = np.frombuffer(pickle.dumps((kind, number, said)), np.uint8)
        try:
            self._sends.append(self._wire.Isend(content, rank, self._tag))
        except self._mpi.Exception:
            return  # it has died: whoever waits for it sees that

    def _ended(self, send: Any) -> bool:
        try:
            return bool(send.Test())
        except self._mpi.Exception:
            return True  # who was to hear it is dead
