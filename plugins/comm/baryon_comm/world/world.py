"""The world of a run: all ranks, their hosts, and how the job ends."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from baryon_comm.world.courier import Task
from baryon_comm.world.layout import Layout
from baryon_comm.world.mpi import start_mpi, tolerates_faults
from baryon_comm.world.requests import finished, gathered

SECONDS_FOR_RANK_0 = 0.7  # to say an error that all ranks have, and end them
SECONDS_OF_ROLL_CALL = 2.0


class World:
    """Duplicates of the world's communicator, one for each use: a failure in one harms no other."""

    def __init__(self) -> None:
        self.mpi = start_mpi()
        self.comm = self.mpi.COMM_WORLD
        self.rank, self.ranks = self.comm.rank, self.comm.size
        self.tolerant = tolerates_faults()
        self.messages = self.comm.Dup()
        """Between workers and servers; never revoked."""
        self._roll = self.comm.Dup()
        self._final = self.comm.Dup()
        places = self.comm.allgather((socket.gethostname(), os.getpid()))
        self.hosts = [host for host, _ in places]
        self._neighbours = [p for host, p in places if host == self.hosts[self.rank]]

    def exchange(self, value: Any) -> Task:
        """Every rank's value on all ranks."""
        values = yield from gathered(self._final, value)
        return values

    def dead(self) -> set[int]:
        """Ranks that are known to have died."""
        if not self.tolerant:
            return set()
        failed, group = self.messages.Get_failed(), self.comm.Get_group()
        return set(self.mpi.Group.Translate_ranks(failed, None, group)) if failed.size else set()

    def name(self, rank: int, layout: Layout) -> str:
        """A rank as people know it."""
        return f"rank {rank} ({layout.role(rank)}, on {self.hosts[rank]})"

    def absent(self, ranks: Iterable[int], occasion: int) -> Task:
        """Which of `ranks` do not wait where this rank waits: they alone do not answer here.

        All that wait too long call each other at about the same time; who computes, hangs or is
        stopped says nothing. `occasion` tells one call from another.
        """
        import numpy as np

        others = [rank for rank in ranks if rank != self.rank]
        tag = occasion % 30_000
        sign = np.zeros(1, np.int8)
        waiting = {r: self._roll.Irecv(np.zeros(1, np.int8), r, tag) for r in others}
        for rank in others:
            self._roll.Isend(sign, rank, tag)
        until = time.monotonic() + SECONDS_OF_ROLL_CALL
        while waiting and time.monotonic() < until:
            waiting = {r: request for r, request in waiting.items() if not request.Test()}
            yield
        return sorted(waiting)

    def abort(self, message: str) -> None:
        """Say why, once for all ranks, and end the job with exit code 1."""
        if self.ranks == 1:
            return
        if self.rank:
            time.sleep(SECONDS_FOR_RANK_0 + 0.1 * (self.rank % 10))
        print(message, file=sys.stderr, flush=True)  # noqa: T201
        sys.stdout.flush()
        if self.tolerant:
            self._roll.Revoke()
            self._end_all()
        self.comm.Abort(1)

    def end_if_aborted(self) -> None:
        """End this process if another has aborted the job."""
        if self.tolerant and self._roll.Is_revoked():
            self._end_all()

    def _end_all(self) -> None:
        """End this process and those on its host, hung ones too.

        Where survivors are kept alive, MPI's own abort ends the calling process alone.
        """
        for process in self._neighbours:
            if process != os.getpid():
                with suppress(ProcessLookupError):  # it has gone already
                    os.kill(process, signal.SIGKILL)
        os._exit(1)

    def leave(self) -> Task:
        """The last thing of all survivors: nobody leaves while another still needs it."""
        last = self._final
        while self.tolerant:
            try:
                last = self._final.Shrink()
                yield from finished([last.Ibarrier()])
            except self.mpi.Exception:
                continue  # another died meanwhile
            return
        yield from finished([last.Ibarrier()])
