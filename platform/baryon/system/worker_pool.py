"""Do tasks in worker processes whose death is noticed.

The workers are spawned, not forked, and load the simulation libraries themselves. Unlike the
pools of the standard library this one notices a killed worker, passes on progress, and leaves no
worker behind when its parent is killed.

It is the host's because two plugins generate data with it, and plugins do not import one another.
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
    """Do all tasks in worker processes.

    Parameters
    ----------
    work
        Function of a task's arguments and a `Report`, importable by name.
    tasks
        Arguments of each task.
    workers
        Number of processes.
    report
        Called with the progress that tasks report, as it comes.

    Raises
    ------
    BaryonError
        The one that a task raises, or one that names a worker that died.

    """
    pool = _Pool(work, tasks)
    try:
        for _ in range(min(workers, len(tasks))):
            pool.start()
        pool.follow(report)
    finally:
        pool.stop()


class _Pool:
    """The parent's side: a process and a connection for each worker."""

    def __init__(self, work: Work, tasks: Sequence[Task]) -> None:
        self._work = work
        self._waiting = deque(tasks)
        self._workers: dict[Any, Any] = {}
        self._busy: set[Any] = set()

    def start(self) -> None:
        """Start one more worker on the next task."""
        context = multiprocessing.get_context("spawn")
        connection, child_end = context.Pipe()
        process = context.Process(target=_serve, args=(self._work, child_end), daemon=True)
        process.start()
        child_end.close()  # while a copy is open here, the death of the child goes unnoticed
        self._workers[connection] = process
        self._busy.add(connection)
        self._send_task(connection)

    def follow(self, report: Report) -> None:
        """Hand out tasks and pass on progress until all tasks are done."""
        while self._busy:
            for connection in wait(self._busy):
                message = self._receive(connection)
                if message == DONE:
                    self._send_task(connection)
                else:
                    report(message)

    def stop(self) -> None:
        """End the workers, whatever they are doing."""
        for connection, process in self._workers.items():
            connection.close()
            process.terminate()
            process.join()

    def _send_task(self, connection: Any) -> None:
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
            f"a worker process {how}, perhaps out of memory; run the same command again, "
            "perhaps with fewer generate.workers: finished parts are kept"
        )


def _serve(work: Work, connection: Connection) -> None:
    """Do one task after the other until the parent is gone: the worker's side."""
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
    """Keep what is not for people off the terminal."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # the simulation libraries write banners to file descriptor 1
    os.close(null)
    # When the disk is full, HDF5 complains of every open object in a hook, besides the exception.
    sys.unraisablehook = lambda _: None
    sys.excepthook = lambda *_: None
