"""All-gather of objects that outlives its members.

MPI's repair of a communicator blocks until all survivors take part in it, but they may be waiting
elsewhere for one another. Here nothing blocks: everything is a message between two ranks, and a
wait can be abandoned and repeated.

Calls are numbered. Members send their value (a vote) to the first member alive, the coordinator,
whose answer holds all values. A member that loses the coordinator before the answer has come votes
again at the next member alive. The new coordinator first asks whether any survivor has the answer
already, for then it must be the same for all. This is one round of a replicated log with a perfect
failure detector: MPI reports only processes that have really ended.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from baryon_comm.mpi.progress_engine import Task
from baryon_comm.mpi.requests import is_complete

VOTE, ANSWER, QUESTION = range(3)
SECONDS_BETWEEN_QUESTIONS = 0.1

Message = tuple[int, int, bytes]
"""Kind, number of the call, and content: a pickled value (VOTE), or the answer (ANSWER)."""


class FaultTolerantGather:
    """Members vote at the first member alive; its answer holds all values and who gave them."""

    def __init__(
        self,
        mpi: Any,
        channel: Any,
        tag: int,
        ranks: Sequence[int],
        failed_ranks: Callable[[], set[int]],
    ) -> None:
        """Use `tag` on `channel`, a communicator of all ranks, for this gather alone.

        `failed_ranks` returns the ranks that are known to have ended.
        """
        self._mpi, self._channel, self._tag = mpi, channel, tag
        self._failed_ranks = failed_ranks
        self._rank = int(channel.rank)
        self.ranks = list(ranks)
        self._call = 0
        self._previous_answer = b""
        self._answer: bytes | None = None
        self._coordinator: int | None = None  # where this member's vote was sent
        self._votes: dict[int, tuple[int, bytes]] = {}
        self._asked_at = 0.0
        self._sends: list[Any] = []

    def gather(self, value: Any) -> Task:
        """Return all values in the order of `ranks`, from which dead members are removed.

        The task may be abandoned; then the same call, with the same value, must be made again.
        """
        vote = pickle.dumps(value)
        while True:
            self.poll()
            alive = self._alive()
            if alive[0] == self._rank:
                self._coordinator = None
                self._collect(alive, vote)
            elif self._coordinator != alive[0]:
                self._coordinator = alive[0]
                self._send(alive[0], VOTE, self._call, vote)
            if self._answer is not None:
                return self._conclude(self._answer)
            yield

    def _alive(self) -> list[int]:
        failed = self._failed_ranks()
        return [rank for rank in self.ranks if rank not in failed]

    def _collect(self, alive: Sequence[int], vote: bytes) -> None:
        """As coordinator: answer once everyone alive has voted, unless an answer exists."""
        votes = {rank: v for rank, (call, v) in self._votes.items() if call == self._call}
        votes[self._rank] = vote
        missing = [rank for rank in alive if rank not in votes]
        if not missing and self._answer is None:
            self._answer = pickle.dumps([(rank, votes[rank]) for rank in alive])
        # Only a coordinator that replaces a dead one must ask: the first one knows all answers.
        replaces = self._rank != self.ranks[0]
        if missing and replaces and time.monotonic() > self._asked_at + SECONDS_BETWEEN_QUESTIONS:
            self._asked_at = time.monotonic()
            for rank in missing:
                self._send(rank, QUESTION, self._call, b"")

    def _conclude(self, answer: bytes) -> list[Any]:
        call, self._call = self._call, self._call + 1
        self._previous_answer, self._answer, self._coordinator = answer, None, None
        for rank, (voted, _) in list(self._votes.items()):
            if voted == call:
                del self._votes[rank]
                self._send(rank, ANSWER, call, answer)
        values = pickle.loads(answer)  # noqa: S301  from our own ranks
        self.ranks = [rank for rank, _ in values]
        return [pickle.loads(value) for _, value in values]  # noqa: S301

    def poll(self) -> None:
        """Receive messages, and send the previous answer to members that missed it."""
        self._sends = [send for send in self._sends if not is_complete(send, self._mpi)]
        status = self._mpi.Status()
        while (message := self._probe(status)) is not None:
            source, content = status.Get_source(), np.empty(status.Get_count(), np.uint8)
            try:
                message.Recv(content)
            except self._mpi.Exception:
                continue  # the sender died while it was sending
            kind, call, payload = pickle.loads(content.data)  # noqa: S301  from our own ranks
            self._receive(source, kind, call, payload)

    def _receive(self, source: int, kind: int, call: int, payload: bytes) -> None:
        missed = call == self._call - 1
        if kind in (VOTE, QUESTION) and missed:
            self._send(source, ANSWER, call, self._previous_answer)
        elif kind == VOTE:
            self._votes[source] = (call, payload)
            if call > self._call:  # the sender knows the answer that is sought here
                self._send(source, QUESTION, self._call, b"")
        elif kind == ANSWER and call == self._call and self._accepts_answer_of(source):
            self._answer = payload

    def _accepts_answer_of(self, source: int) -> bool:
        """Refuse a coordinator that died and was replaced: another answer may be agreed on."""
        return self._coordinator in (None, source)

    def _probe(self, status: Any) -> Any:
        try:
            return self._channel.Improbe(self._mpi.ANY_SOURCE, self._tag, status)
        except self._mpi.Exception:
            # A rank has died: acknowledge it, so that others can be received from again.
            self._channel.Ack_failed()
            return None

    def _send(self, rank: int, kind: int, call: int, payload: bytes) -> None:
        content = np.frombuffer(pickle.dumps((kind, call, payload)), np.uint8)
        try:
            self._sends.append(self._channel.Isend(content, rank, self._tag))
        except self._mpi.Exception:
            return  # the receiver has died: whoever waits for it sees that
