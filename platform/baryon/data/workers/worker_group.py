"""Start reading processes and call them from the run's process.

They are new interpreters, neither forked, which is no choice after MPI and CUDA have begun, nor
started through `multiprocessing`, which would run the main script once more in each of them, with
its `import torch`. They know nothing of an MPI launcher.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.reduction import send_handle
from typing import Any

from baryon.data.workers.shared_memory import SharedSlots
from baryon.data.workers.worker_process import Failure
from baryon.errors import BaryonError, format_error
from baryon.interfaces import Split
from baryon.launch.child_python import child_program
from baryon.terminal.console import say

WORKER_CODE = "from baryon.data.workers.worker_process import main; main(int(sys.argv[1]))"
LAUNCHER_PREFIXES = (
    "ALPS_", "FLUX_", "HYDI_", "HYDRA_", "I_MPI_", "MPI", "MV2_", "OMPI_", "PALS_", "PMI", "PRTE_",
    "SLURM_",
)  # fmt: skip
"""Beginnings of variables by which an MPI library knows that it was launched."""
SINGLE_THREADED = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PARENT_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Signals that may reach all processes of a job; only the run's own process answers them."""


class WorkerGroup:
    """A fixed number of reading processes, started when they are needed first.

    Any thread may call them.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._processes: list[_Process] = []
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._splits: dict[int, Split] = {}
        self._printed_lines: set[str] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the processes if they are not running, and wait until they answer."""
        if self._processes:
            return
        for number in range(1, self.count + 1):
            process = _Process(number, self.count)
            weakref.finalize(self, process.end)  # at the interpreter's end as well
            self._processes.append(process)
            self._idle.put(process)
        self.call_all("ready")

    def register(self, split: Split) -> int:
        """Return the number of a split, which is sent to the processes when it is new.

        Raises
        ------
        BaryonError
            If it cannot be sent.

        """
        for number, registered in self._splits.items():
            if registered is split:
                return number
        pickled = pickled_split(split, f"split {type(split).__module__}.{type(split).__qualname__}")
        number = len(self._splits)
        self.call_all("learn", number, pickled)
        self._splits[number] = split
        return number

    def attach(self, memory: SharedSlots) -> None:
        """Share memory with all processes."""
        self.call_all("attach", memory.number, memory.bytes, descriptor=memory.descriptor)

    def detach(self, memory: SharedSlots) -> None:
        """Have all processes let go of memory."""
        for process in self._processes:
            with suppress(BaryonError):  # a dead process holds no memory
                process.call("detach", memory.number)

    def call_all(self, method: str, *arguments: Any, descriptor: int | None = None) -> None:
        """Call a method of `DataWorker` in each process, one after the other.

        Raises
        ------
        Exception
            What a method raises; `BaryonError` if a process dies.

        """
        self.start()
        for process in self._processes:
            self._result(process.call(method, *arguments, descriptor=descriptor))

    def call_idle(self, method: str, *arguments: Any) -> Any:
        """Call a method of `DataWorker` in one process, waiting until one is idle.

        Raises
        ------
        Exception
            What the method raises; `BaryonError` if the process dies.

        """
        process = self._idle.get()
        try:
            answer = process.call(method, *arguments)
        finally:
            # A dead process as well: who waits for it then learns of its death.
            self._idle.put(process)
        return self._result(answer)

    def _result(self, answer: tuple[Any, str]) -> Any:
        result, printed = answer
        with self._lock:
            for line in printed.splitlines():
                if line not in self._printed_lines:  # all of them say the same of a file
                    self._printed_lines.add(line)
                    say(line)
        if isinstance(result, Failure):
            raise result.error
        return result

    def close(self) -> None:
        """Kill the processes, whatever they are doing."""
        for process in self._processes:
            process.end()


def pickled_split(split: Split, name: str) -> bytes:
    """Return a split as it is sent to reading processes.

    Raises
    ------
    BaryonError
        If it cannot be pickled; the message calls it `name`.

    """
    try:
        return pickle.dumps(split)
    except Exception as error:
        raise BaryonError(
            f"{name} cannot be sent to reading processes ({format_error(error)}): set "
            "data.processes=0, or let its class leave out open files and locks in __getstate__ "
            "(docs/plugins.md)"
        ) from error


class _Process:
    """One reading process and the connection to it."""

    def __init__(self, number: int, count: int) -> None:
        self._name = f"reading process {number} of {count}"
        self._lock = threading.Lock()
        self._connection, child_end = Pipe()
        command = child_program(WORKER_CODE, str(child_end.fileno()))
        # Blocked in the child from before its first instruction.
        with child_end, _blocked(PARENT_SIGNALS):
            self._process = subprocess.Popen(  # noqa: S603
                command,
                env=worker_environment(os.environ),
                pass_fds=(child_end.fileno(),),
                stdin=subprocess.DEVNULL,
            )

    def call(self, method: str, *arguments: Any, descriptor: int | None = None) -> tuple[Any, str]:
        """Call a method in the process; return its result and what it printed."""
        with self._lock:
            try:
                self._connection.send((method, arguments, descriptor is not None))
                if descriptor is not None:
                    send_handle(self._connection, descriptor, self._process.pid)
                answer: tuple[Any, str] = self._connection.recv()
            except (EOFError, OSError):
                raise self._death() from None
            except BaseException:  # its answer would be taken for that to the next call
                self.end()
                raise
        return answer

    def _death(self) -> BaryonError:
        self.end()
        code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        return BaryonError(
            f"{self._name} (pid {self._process.pid}) {how}, perhaps out of memory: give less "
            "data.processes; a run goes on with `baryon resume run=... data.processes=<N>`"
        )

    def end(self) -> None:
        """Kill the process. It only reads: nothing is lost."""
        self._process.kill()
        self._process.wait()
        self._connection.close()


def worker_environment(parent: Mapping[str, str]) -> dict[str, str]:
    """Return a reading process's environment: without a launcher's variables, one thread."""
    inherited = {
        name: value for name, value in parent.items() if not name.startswith(LAUNCHER_PREFIXES)
    }
    return inherited | SINGLE_THREADED


@contextmanager
def _blocked(signals: Sequence[signal.Signals]) -> Iterator[None]:
    """Block signals during the block; a process that is started in it inherits that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
