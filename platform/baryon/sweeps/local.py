"""One job as processes of their own on this machine.

A process a job: what one job breaks (memory, a crashed library, the device's state) is not the next
one's trouble, and a job may be several ranks.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from baryon.launch.child_python import child_python
from baryon.launch.mpiexec import launch_command, launch_environment
from baryon.runs.sweep_file import FAILED, FINISHED, PRUNED, WAITING
from baryon.sweeps import gpus, job_status
from baryon.system import locks
from baryon.training.stop_request import STOPPED

SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_TO_STOP = 60.0
OURS = "baryon: error: "
OUTPUT = "output.txt"
STOPPING = ".stopping"
"""A file in the sweep's folder: no further job is begun."""


def run(folder: Path, ranks: int, at_once: int, *, aloud: bool) -> None:
    """Do the job and see that its status says how it ended; never raises because it failed.

    at_once: jobs that share this machine. aloud: to the terminal, else into a file of its own.
    """
    if (folder.parent / STOPPING).exists():
        return
    command = child_python("-m", "baryon.sweeps.run_job", str(folder))
    if ranks > 1:
        command = launch_command(ranks, command)
    with (
        _output(folder, aloud=aloud) as output,
        gpus.held(folder.parent, ranks, at_once) as its_gpus,
    ):
        process = subprocess.Popen(  # noqa: S603
            command,
            env=_environment(ranks, at_once) | its_gpus,
            stdin=subprocess.PIPE,  # closed when this process dies, however it dies
            stdout=output,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C comes through us: mpiexec would kill its ranks
        )
        listener = threading.Thread(target=_keep, args=(process.stderr, folder, aloud))
        listener.start()
        try:
            _wait(process)
        finally:
            stopped = _stop(process)
            listener.join()
            _tell_how_it_ended(folder, process.returncode, stopped=stopped)


def stop_all(sweep: Path) -> None:
    """Stop the jobs of a sweep that run on this machine, and wait for their checkpoints.

    joblib would kill them: it ends its workers with all that these have started.
    """
    (sweep / STOPPING).touch()
    until = time.monotonic() + SECONDS_TO_STOP
    asked: set[int] = set()
    while time.monotonic() < until:
        running = {process for path in sweep.glob("*/") if (process := locks.holding(path))}
        if not running:
            return
        for process in running - asked:
            os.kill(process, signal.SIGUSR1)
        asked |= running
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _environment(ranks: int, at_once: int) -> dict[str, str]:
    """The cores are shared out among the jobs and their ranks; what the user has set stays."""
    shared = launch_environment(ranks * at_once)
    return shared if ranks > 1 or at_once > 1 else dict(os.environ)


@contextmanager
def _output(folder: Path, *, aloud: bool) -> Iterator[IO[bytes] | None]:
    if aloud:
        sys.stdout.flush()
        yield None
        return
    with (folder / OUTPUT).open("ab") as file:
        yield file


def _keep(stderr: IO[bytes], folder: Path, aloud: bool) -> None:
    """Into a file, and to the terminal all but the error that the sweep says itself."""
    with stderr, (folder / job_status.STDERR).open("wb") as file:
        for line in stderr:
            file.write(line)
            file.flush()
            if aloud and not line.startswith(OURS.encode()):
                sys.stderr.buffer.write(line)
                sys.stderr.buffer.flush()


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Until it ends, or until who started this process has gone."""
    parent = os.getppid()
    while process.poll() is None and os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _stop(process: subprocess.Popen[bytes]) -> bool:
    """Let it write its checkpoint; SIGUSR1 is what mpiexec hands on. False if it had ended."""
    assert process.stdin is not None
    stopped = process.poll() is None
    if stopped:
        process.send_signal(signal.SIGUSR1)
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    process.stdin.close()
    return stopped


def _tell_how_it_ended(folder: Path, code: int, *, stopped: bool) -> None:
    """What the job could not tell itself: it was killed, or ended by another rank."""
    now = job_status.read(folder)
    if now.state in (FINISHED, PRUNED) or (now.state == FAILED and code):
        return
    if stopped or code in STOPPED:
        job_status.write(folder, WAITING, now.seconds)
        return
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    job_status.write(folder, FAILED, now.seconds, last_words(folder) or f"ended by {how}")


def last_words(folder: Path, pattern: str = job_status.STDERR) -> str:
    """The error in what a job wrote to its stderr: Baryon's own line, Slurm's, or the last one."""
    lines = [
        line.strip()
        for path in sorted(folder.glob(pattern))
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
    ours = [line.removeprefix(OURS) for line in lines if line.startswith(OURS)]
    slurms = [line for line in lines if line.startswith("srun: error: ")]
    return next(iter(ours or slurms or lines[-1:]), "")
