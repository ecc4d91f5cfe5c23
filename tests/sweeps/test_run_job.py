"""A job's status says how it ended, whatever ended it; what it is handed holds no password."""

import signal
from contextlib import suppress
from types import SimpleNamespace

import pytest

from baryon.sweeps import job_status, run_job
from baryon.sweeps.sweep import Sweep
from baryon.system.signals import Terminated
from baryon.training.stop_request import ASKED_TO_STOP


@pytest.mark.parametrize(
    ("ending", "state"),
    [
        (Terminated(signal.SIGUSR1), "waiting"),  # while PyTorch is imported, or data checked
        (SystemExit(75), "waiting"),
        (SystemExit(ASKED_TO_STOP), "pruned"),
        (RuntimeError("a fault"), "failed"),
        (None, "finished"),
    ],
    ids=repr,
)
def test_the_status_of_a_job_that_ends(tmp_path, monkeypatch, ending, state):
    def train(folder):
        assert job_status.read(folder).state == "running"
        if ending:
            raise ending

    monkeypatch.setattr(run_job, "_train", train)
    monkeypatch.setenv("PBS_JOBID", "7.pbs")
    with suppress(Terminated, SystemExit, RuntimeError):
        run_job.run(tmp_path)
    status = job_status.read(tmp_path)
    assert (status.state, status.batch_job) == (state, "7.pbs")


def test_a_batch_jobs_files_hold_no_password(capsys):
    sweep = Sweep.__new__(Sweep)
    asked = {"tracking.mlflow": "http://me:hunter2@host:5000", "data.stage": "/tmp/me"}  # noqa: S108
    sweep._launcher = SimpleNamespace(outlives=True)
    sweep._without_password = set()
    for _ in range(3):  # of three jobs, and told once
        assert sweep._written_down(asked) == asked | {"tracking.mlflow": "http://host:5000"}
    said = capsys.readouterr().out
    assert said.count("the password in tracking.mlflow is not written into") == 1
    sweep._launcher = SimpleNamespace(outlives=False)
    assert sweep._written_down(asked) == asked
