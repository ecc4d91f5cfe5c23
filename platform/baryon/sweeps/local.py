"""Run jobs as processes of this machine, one after another or several at a time.

Each job is a process, also where there is only one at a time: a crash, memory that was not given
back or a device in a bad state stays with the job that caused it, and the sweep never holds a GPU
itself. A job of several ranks is started by mpiexec.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from baryon.config.schemas import Launch, LaunchOnCores
from baryon.errors import BaryonError
from baryon.launch.child_python import child_python
from baryon.launch.mpiexec import launch_command, launch_environment
from baryon.runs.sweep_file import FAILED, FINISHED, PRUNED, WAITING
from baryon.sweeps import gpus, job_status
from baryon.sweeps.job_status import ERROR_PREFIX
from baryon.sweeps.launcher import Launcher, Observer, PlacedJob
from baryon.sweeps.run_job import ASKED
from baryon.training.stop_request import STOPPED

SECONDS_TO_STOP = 60.0
OUTPUT = "output.txt"
"""What a job writes to its stdout, where several share the terminal."""


class LocalLauncher(Launcher):
    """Runs jobs on this machine; each waits in a thread for the end of its process."""

    def __init__(self, settings: Launch) -> None:
        self._ranks = settings.ranks
        self.at_once = _jobs_at_once(settings)
        # The only job at a time may use the terminal; several write into files of their own.
        self._aloud = not isinstance(settings, LaunchOnCores)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopping = threading.Event()
        self._guard = threading.Lock()

    def run(self, jobs: Sequence[PlacedJob], observer: Observer) -> None:
        """Run jobs until all have ended; one that fails does not end the others."""
        pool = ThreadPoolExecutor(self.at_once)
        futures = [pool.submit(self._run, job, observer) for job in jobs]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException as error:
            self.stop()
            try:
                wait(futures, timeout=SECONDS_TO_STOP)
            finally:  # those that hang, or all after a second Ctrl-C
                self._kill()
                pool.shutdown()
            if isinstance(error, OSError):
                raise BaryonError(f"a job cannot be started: {error}") from error
            raise
        pool.shutdown()

    def stop(self) -> None:
        """Begin no further job, and ask those that run to write their checkpoints and end."""
        with self._guard:
            self._stopping.set()
            for process in self._running:
                process.send_signal(signal.SIGUSR1)  # which mpiexec hands on to its ranks

    def _kill(self) -> None:
        with self._guard:
            for process in self._running:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def _run(self, job: PlacedJob, observer: Observer) -> None:
        if self._stopping.is_set():
            return
        observer.on_begin(job)
        self._do(job)
        observer.on_change([job])

    def _do(self, job: PlacedJob) -> None:
        """Do a job in processes of its own, and see that its status says how it ended."""
        with (
            _output(job.folder, aloud=self._aloud) as output,
            gpus.reserved(job.folder.parent, self._ranks, self.at_once) as gpu_environment,
        ):
            process = self._start(job, output, gpu_environment)
            if process is None:
                return
            _keep_errors(process, job.folder, aloud=self._aloud)
            code = process.wait()
        with self._guard:
            self._running.remove(process)
        _write_how_it_ended(job.folder, code, stopped=self._stopping.is_set())

    def _start(
        self, job: PlacedJob, output: IO[bytes] | None, gpu_environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes] | None:
        """Start a job's process; None if the sweep stops meanwhile."""
        command = child_python("-m", "baryon.sweeps.run_job", str(job.folder))
        if self._ranks > 1:
            command = launch_command(self._ranks, command)
        environment = {
            **_environment(self._ranks, self.at_once),
            **gpu_environment,
            ASKED: json.dumps(dict(job.asked)),
        }
        with self._guard:  # `stop` must either see the process or prevent it
            if self._stopping.is_set():
                return None
            process = subprocess.Popen(  # noqa: S603
                command,
                env=environment,
                # A pipe that nobody writes to: its end closes however this process dies, mpiexec
                # hands that on to the first rank, and the job then stops with a checkpoint.
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.PIPE,
                # Ctrl-C comes through us: mpiexec would kill its ranks before they have saved.
                start_new_session=True,
            )
            self._running.add(process)
        return process


def _jobs_at_once(settings: Launch) -> int:
    if not isinstance(settings, LaunchOnCores):
        return 1
    return settings.jobs or max(1, len(os.sched_getaffinity(0)) // settings.ranks)


def _environment(ranks: int, at_once: int) -> Mapping[str, str]:
    """Share the cores out among the jobs and their ranks; what the user has set stays."""
    return launch_environment(ranks * at_once) if ranks > 1 or at_once > 1 else os.environ


@contextmanager
def _output(folder: Path, *, aloud: bool) -> Iterator[IO[bytes] | None]:
    """Give the file that takes a job's stdout; None for the terminal."""
    if aloud:
        sys.stdout.flush()
        yield None
        return
    with (folder / OUTPUT).open("ab") as file:
        yield file


def _keep_errors(process: subprocess.Popen[bytes], folder: Path, *, aloud: bool) -> None:
    """Copy a job's stderr into its folder, and to the terminal but for the error line.

    The error is in the job's status, and the sweep says it with the job's name.
    """
    assert process.stdin is not None
    assert process.stderr is not None
    with process.stdin, process.stderr, (folder / job_status.STDERR).open("wb") as file:
        for line in process.stderr:
            file.write(line)
            file.flush()
            if aloud and not line.startswith(ERROR_PREFIX.encode()):
                sys.stderr.buffer.write(line)
                sys.stderr.buffer.flush()
        process.wait()  # before its stdin closes, which would stop it


def _write_how_it_ended(folder: Path, code: int, *, stopped: bool) -> None:
    """Complete the status of a job that could not write it: killed, or ended by another rank."""
    status = job_status.read(folder)
    if status.state in (FINISHED, PRUNED) or (status.state == FAILED and code):
        return
    # SIGUSR1 is how a sweep stops its jobs and how batch jobs are warned: whoever sent it, the job
    # waits.
    if stopped or code in STOPPED:
        job_status.write(folder, WAITING, status.seconds)
        return
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    error = job_status.last_error(folder) or f"ended by {how}"
    job_status.write(folder, FAILED, status.seconds, error)
