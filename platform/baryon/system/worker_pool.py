"""Worker processes that can be told from dead ones.

The workers are spawned, not forked, and load the simulation libraries themselves. Unlike the
pools of the standard library this one notices a killed worker, passes on progress, and leaves no
worker behind when its parent is killed.
"""

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeAlias

from baryon.errors import BaryonError

Report: TypeAlias = Callable[[int], None]
Work: TypeAlias = Callable[..., None]
"""Called with the arguments of a task and a `Report`; importable by name."""
Task: TypeAlias = tuple[Any, ...]
DONE = "done"


def run(work: Work, tasks: Sequence[Task], workers: int, report: Report) -> None:
    """Do all tasks, each in one of the workers, and report their progress as it comes.

    Raises `BaryonError` raised by a task, and another one if a worker dies.
    """
    pool = _Pool(work, tasks)
    try:
        for _ in range(min(workers, len(tasks))):
            pool.start()
        pool.follow(report)
    finally:
        pool.stop()


class _Pool:
    """Parent's side: a process and a connection for each worker."""

    def __init__(self, work: Work, tasks: Sequence[Task]) -> None:
        self._work = work
        self._waiting = deque(tasks)
        self._workers: dict[Any, Any] = {}
        self._busy: set[Any] = set()

    def start(self) -> None:
        """One more worker, on the next task."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self._work, theirs), daemon=True)
        process.start()
        theirs.close()
        self._workers[ours] = process
        self._busy.add(ours)
        self._hand_out(ours)

    def follow(self, report: Report) -> None:
        """Until all tasks are done."""
        while self._busy:
            for connection in wait(self._busy):
                message = self._receive(connection)
                if message == DONE:
                    self._hand_out(connection)
                else:
                    report(message)

    def stop(self) -> None:
        """End the workers, whatever they are at."""
        for connection, process in self._workers.items():
            connection.close()
            process.terminate()
            process.join()

    def _hand_out(self, connection: Any) -> None:
        if not self._waiting:
            self._busy.discard(connection)
            return
        try:
            connection.send(self._waiting.popleft())
        except ConnectionError:
            raise self._death(connection) from None

    def _receive(self, connection: Any) -> Any:
        try:
            message = connection.recv()
        except (EOFError, ConnectionError):
            raise self._death(connection) from None
        if isinstance(message, BaryonError):
            raise message
        return message

    def _death(self, connection: Any) -> BaryonError:
        process = self._workers[connection]
        process.join()
        code = process.exitcode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        return BaryonError(
            f"a worker process {how}, perhaps for want of memory; run the same command again, "
            "perhaps with fewer generate.workers: finished parts are kept"
        )


def _serve(work: Work, connection: Connection) -> None:
    """Worker's side: one task after the other until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent deals with Ctrl-C
    _silence()
    try:
        while True:
            task = connection.recv()
            try:
                work(*task, connection.send)
                connection.send(DONE)
            except BaryonError as error:
                connection.send(error)
            except MemoryError:
                connection.send(BaryonError("out of memory; try fewer generate.workers"))
    except (EOFError, ConnectionError):
        return


def _silence() -> None:
    """Keep from the terminal what is not for people.

    The simulation libraries write banners to file descriptor 1; HDF5, when the disk is full,
    complains of every open object in a hook, besides the exception.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    sys.unraisablehook = lambda _: None
    sys.excepthook = lambda *_: None
