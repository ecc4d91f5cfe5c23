"""The reading processes as the run's process has them.

They are new interpreters, neither forked nor started through `multiprocessing`, which would run
the main script once more in each of them; and they learn nothing of an MPI launcher.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.reduction import send_handle
from typing import Any

from baryon.data.workers.shared_memory import Memory
from baryon.data.workers.worker_process import Failure
from baryon.errors import BaryonError, format_error
from baryon.interfaces import Split
from baryon.launch.child_python import child_python
from baryon.terminal.console import say

LIFE = "import sys; from baryon.data.workers.worker_process import main; main(int(sys.argv[1]))"
OF_LAUNCHERS = (
    "ALPS_", "FLUX_", "HYDI_", "HYDRA_", "I_MPI_", "MPI", "MV2_", "OMPI_", "PALS_", "PMI", "PRTE_",
    "SLURM_",
)  # fmt: skip
"""Beginnings of variables by which an MPI library knows that it was launched."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
THE_PARENTS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Signals that may reach all processes of a job; only the run's own process answers them."""


class WorkerGroup:
    """So many processes, started when they are needed first. Any thread may ask."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._processes: list[_Process] = []
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._known: dict[int, Split] = {}
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Now, if they have not yet; returns when they are there."""
        if self._processes:
            return
        for number in range(1, self.count + 1):
            process = _Process(number, self.count)
            weakref.finalize(self, process.end)  # at the interpreter's end as well
            self._processes.append(process)
            self._idle.put(process)
        self.tell("ready")

    def know(self, split: Split) -> int:
        """The number by which they know a split, which is sent to them when it is new.

        Raises `BaryonError` if it cannot be sent.
        """
        for number, known in self._known.items():
            if known is split:
                return number
        pickled = sendable(split, f"split {type(split).__module__}.{type(split).__qualname__}")
        number = len(self._known)
        self.tell("learn", number, pickled)
        self._known[number] = split
        return number

    def attach(self, memory: Memory) -> None:
        """All of them have this memory from now on."""
        self.tell("attach", memory.number, memory.bytes, descriptor=memory.descriptor)

    def detach(self, memory: Memory) -> None:
        """Until now; those that have died need not let go of it."""
        for process in self._processes:
            with suppress(BaryonError):
                process.call("detach", memory.number)

    def tell(self, method: str, *arguments: Any, descriptor: int | None = None) -> None:
        """One thing to each of them. Raises what one of them raises, as `ask` does."""
        self.start()
        for process in self._processes:
            self._answer(process.call(method, *arguments, descriptor=descriptor))

    def ask(self, method: str, *arguments: Any) -> Any:
        """One thing of whoever is idle, waiting until one is.

        Raises what it raises, and `BaryonError` if it dies.
        """
        process = self._idle.get()
        try:
            answered = process.call(method, *arguments)
        finally:
            self._idle.put(process)  # a dead one as well, that nobody waits for it for ever
        return self._answer(answered)

    def _answer(self, answered: tuple[Any, str]) -> Any:
        answer, printed = answered
        with self._lock:
            for line in printed.splitlines():
                if line not in self._said:  # all of them say the same of a file
                    self._said.add(line)
                    say(line)
        if isinstance(answer, Failure):
            raise answer.error
        return answer

    def close(self) -> None:
        """End them, whatever they are at."""
        for process in self._processes:
            process.end()


def sendable(split: Split, who: str) -> bytes:
    """A split as it is sent to processes. Raises `BaryonError`, said of `who`, if it cannot be."""
    try:
        return pickle.dumps(split)
    except Exception as error:
        raise BaryonError(
            f"{who} cannot be sent to reading processes ({format_error(error)}): set "
            "data.processes=0, or let its class leave out open files and locks in __getstate__ "
            "(docs/plugins.md)"
        ) from error


class _Process:
    """One of them."""

    def __init__(self, number: int, count: int) -> None:
        self._name = f"reading process {number} of {count}"
        self._lock = threading.Lock()
        self._connection, theirs = Pipe()
        command = child_python("-c", LIFE, str(theirs.fileno()))
        with theirs, _held_back(THE_PARENTS):
            self._process = subprocess.Popen(  # noqa: S603
                command,
                env=environment(os.environ),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )

    def call(self, method: str, *arguments: Any, descriptor: int | None = None) -> tuple[Any, str]:
        """Its answer, and what it printed."""
        with self._lock:
            try:
                self._connection.send((method, arguments, descriptor is not None))
                if descriptor is not None:
                    send_handle(self._connection, descriptor, self._process.pid)
                answered: tuple[Any, str] = self._connection.recv()
            except (EOFError, OSError):
                raise self._death() from None
            except BaseException:  # its answer would be taken for that to the next question
                self.end()
                raise
        return answered

    def _death(self) -> BaryonError:
        self.end()
        code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        return BaryonError(
            f"{self._name} (pid {self._process.pid}) {how}, perhaps for want of memory: give less "
            "data.processes; a run goes on with `baryon resume run=... data.processes=<N>`"
        )

    def end(self) -> None:
        """It only reads: nothing is lost."""
        self._process.kill()
        self._process.wait()
        self._connection.close()


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """A reading process's: without what launchers say, with the modules of this process."""
    kept = {key: value for key, value in ours.items() if not key.startswith(OF_LAUNCHERS)}
    return {**kept, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(sys.path)}


@contextmanager
def _held_back(signals: Sequence[signal.Signals]) -> Iterator[None]:
    """A process that is started meanwhile never gets these signals."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
