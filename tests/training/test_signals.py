"""The signals of a cluster, really sent to a run in each of its phases."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baryon.training.stop_request import REQUEUE

pytestmark = pytest.mark.slow

# Half a second a batch of the evaluation, which would be over before a signal comes.
RUN = """
import sys, time
from baryon.training import evaluation
show_batch = evaluation.show_batch
def slowly(*arguments):
    time.sleep(0.5)
    show_batch(*arguments)
evaluation.show_batch = slowly
from baryon.cli import main
raise SystemExit(main(sys.argv[1:]))
"""
TERM, USR1 = signal.SIGTERM, signal.SIGUSR1
PLAIN, SLURM = {}, {"SLURM_JOB_ID": "17"}


@pytest.fixture
def begin(tmp_path, environment, hep_files):
    """Start a run of two steps; give the process."""

    def start(variables, python: Path | str = sys.executable) -> subprocess.Popen[str]:
        short = ["train.steps=2", "run.name=cut", "tracking.tensorboard=false"]
        return subprocess.Popen(
            [python, "-c", RUN, "train", *hep_files, *short],
            cwd=tmp_path,
            env=environment | variables,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


def wait_until(holds, process) -> None:
    until = time.monotonic() + 120
    while not holds():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.01)


def catches(process, number) -> bool:
    """Whether the process has a handler for a signal."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (number - 1) & 1)


@pytest.mark.parametrize(
    ("number", "variables", "code"),
    [(USR1, PLAIN, -USR1), (USR1, SLURM, REQUEUE), (TERM, SLURM, REQUEUE)],
)
def test_at_the_first_instruction(begin, tmp_path, number, variables, code):
    process = begin(variables)
    wait_until(lambda: catches(process, number), process)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said == f"baryon: ended by {number.name} before the training began: start it again\n"
    assert not (tmp_path / "runs").exists()


def test_while_the_data_are_looked_at(begin, tmp_path, forked):
    process = begin(
        SLURM | {"XDG_CACHE_HOME": str(tmp_path / "cache")}, forked.python
    )  # nothing is checked yet
    line = process.stdout.readline()  # the first that is said
    assert line.startswith("checking data")
    process.send_signal(USR1)
    out, said = process.communicate(timeout=60)
    assert process.returncode == REQUEUE, said
    # A run that has a folder already ends with a checkpoint in it, to go on with.
    checkpoint = tmp_path / "runs" / "cut" / "checkpoints" / "last.pt"
    assert checkpoint.is_file() == (tmp_path / "runs").exists()
    assert "before the training began" in said or "the checkpoint is written" in out


@pytest.mark.parametrize(
    ("number", "variables", "code"),
    [(USR1, SLURM, REQUEUE), pytest.param(TERM, PLAIN, 128 + TERM, marks=pytest.mark.extended)],
)
def test_in_the_final_evaluation(begin, command, forked, tmp_path, number, variables, code):
    process = begin(variables, forked.python)
    log = tmp_path / "runs" / "cut" / "metrics.jsonl"
    wait_until(lambda: log.is_file() and '"kind": "meters"' in log.read_text(), process)
    process.send_signal(number)
    out, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert said == ""
    assert (
        f"stopped by {number.name} in the evaluation; the run is trained: go on with"
        in " ".join(out.split())
    )
    assert not (tmp_path / "runs" / "cut" / "metrics.json").exists()
    done = command("resume", "run=runs/cut")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "cut" / "metrics.json").is_file()


def test_a_launcher_hands_sigusr1_on(tmp_path):
    """It would die of it and leave its ranks behind."""
    waits = (
        "import signal, sys; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(75)); "
        "print('there', flush=True); signal.pause()"
    )
    follows = (
        f"import os, sys; from baryon.launch.mpiexec import follow; "
        f"sys.exit(follow([sys.executable, '-c', {waits!r}], os.environ))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", follows], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as launcher:
        assert launcher.stdout.readline() == "there\n"
        wait_until(lambda: catches(launcher, USR1), launcher)
        launcher.send_signal(USR1)
        assert launcher.wait(60) == 75
