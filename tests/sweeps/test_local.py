"""Jobs as processes of this machine, here as short programs in the place of trainings."""

import json
import subprocess
import sys
import time

import pytest

from baryon.config.schemas import LaunchOnCores
from baryon.errors import BaryonError
from baryon.sweeps import job_status, local
from baryon.sweeps.launcher import PlacedJob
from baryon.sweeps.local import LocalLauncher

JOB = """
import json, os, signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
def stop(*_):
    (folder / "stopped").touch()
    sys.exit(128 + signal.SIGUSR1)
signal.signal(signal.SIGUSR1, signal.SIG_IGN if folder.name.endswith("deaf") else stop)
print("to stdout", flush=True)
print("to stderr", file=sys.stderr, flush=True)
(folder / "began").touch()
if folder.name.endswith("fails"):
    sys.exit("baryon: error: it fails")
if folder.name.endswith(("waits", "deaf")):
    time.sleep(30)
(folder / "metrics.json").write_text(os.environ["BARYON_JOB_ASKED"])
"""


class Observer:
    """Notes which jobs began and how they ended."""

    def __init__(self, on_end=lambda job: None):
        self.begun, self.ended, self._on_end = [], {}, on_end

    def on_begin(self, job):
        self.begun.append(job.id)

    def on_change(self, jobs):
        for job in jobs:
            self.ended[job.id] = job_status.read(job.folder).state
            self._on_end(job)
        return True


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """Make jobs that do what their name says."""
    monkeypatch.setattr(
        local, "child_python", lambda *arguments: [sys.executable, "-c", JOB, arguments[-1]]
    )

    def make(*names):
        placed = [
            PlacedJob(name, tmp_path / f"{n}-{name}", {"n": n}) for n, name in enumerate(names)
        ]
        for job in placed:
            job.folder.mkdir()
        return placed

    return make


def launcher(at_once):
    return LocalLauncher(LaunchOnCores(launcher="cores", ranks=1, jobs=at_once))


def _wait_for(path):
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_jobs_leave_their_output_and_one_that_fails_does_not_end_the_others(jobs):
    first, second, third = jobs("works", "fails", "works too")
    observer = Observer()
    launcher(2).run([first, second, third], observer)
    assert sorted(observer.begun) == ["fails", "works", "works too"]
    assert observer.ended == {"works": "finished", "fails": "failed", "works too": "finished"}
    assert job_status.read(second.folder).error == "it fails"
    assert json.loads((third.folder / "metrics.json").read_text()) == {"n": 2}
    for job in (first, second, third):
        assert (job.folder / "output.txt").read_text() == "to stdout\n"
        assert (job.folder / "stderr.txt").read_text().startswith("to stderr\n")


def test_stop_lets_jobs_write_their_checkpoints_and_begins_no_further_one(jobs):
    waits, fails, never = placed = jobs("waits", "fails", "never")
    ours = launcher(2)

    def stop(job):
        if job is fails:
            _wait_for(waits.folder / "began")
            ours.stop()

    observer = Observer(stop)
    ours.run(placed, observer)
    assert observer.ended == {"waits": "waiting", "fails": "failed"}
    assert (waits.folder / "stopped").exists()
    assert not (never.folder / "output.txt").exists()


def test_jobs_that_do_not_stop_are_killed_when_the_sweep_is_interrupted(jobs, monkeypatch):
    monkeypatch.setattr(local, "SECONDS_TO_STOP", 0.2)
    (deaf,) = jobs("deaf")
    real_wait = local.wait

    def interrupted(futures, **options):
        if "timeout" not in options:
            _wait_for(deaf.folder / "began")
            raise KeyboardInterrupt
        return real_wait(futures, **options)

    monkeypatch.setattr(local, "wait", interrupted)
    observer = Observer()
    with pytest.raises(KeyboardInterrupt):
        launcher(1).run([deaf], observer)
    assert observer.ended == {"deaf": "waiting"}


def test_a_job_that_cannot_be_started_is_one_line(jobs, monkeypatch):
    def refuse(*_, **__):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(BaryonError, match=r"a job cannot be started: .*temporarily unavailable"):
        launcher(1).run(jobs("works"), Observer())
