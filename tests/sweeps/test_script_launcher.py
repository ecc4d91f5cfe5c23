"""Jobs under PBS and LSF, whose commands run scripts on this machine as their manuals say."""

import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from baryon.config.schemas import LaunchByScript
from baryon.errors import BaryonError
from baryon.launch.mpiexec import OPEN_MPI
from baryon.plugins.registry import host_conf
from baryon.runs.sweep_file import SweepFile
from baryon.sweeps import job_script, job_status, queue, script_launcher
from baryon.sweeps.follower import Follower
from baryon.sweeps.launcher import PlacedJob
from baryon.sweeps.schedulers import SCHEDULERS
from baryon.sweeps.script_launcher import ScriptLauncher

JOB = """
import fcntl, json, os, signal, sys, time
folder, kind = sys.argv[1], sys.argv[1].rpartition("-")[2]
lock = os.open(f"{folder}/.lock", os.O_CREAT | os.O_RDWR)
fcntl.flock(lock, fcntl.LOCK_EX)
number = os.environ.get("PBS_JOBID") or os.environ["LSB_JOBID"]
def write(state, error=None):
    with open(f"{folder}/job.json.new", "w") as file:
        json.dump({"state": state, "error": error, "seconds": 1.0, "batch_job": number}, file)
    os.replace(f"{folder}/job.json.new", f"{folder}/job.json")
def stop(*_):
    write("waiting")
    os._exit(75)
signal.signal(signal.SIGUSR1, stop)
signal.signal(signal.SIGTERM, stop)
write("running")
again = os.path.exists(f"{folder}/begun")
open(f"{folder}/begun", "w").close()
if kind == "fails":
    while not os.path.exists(f"{folder}/../fail"):
        time.sleep(0.01)
    write("failed", "no such data")
    sys.exit("baryon: error: no such data")
if kind == "killed":
    sys.stderr.write("Out of memory\\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)
if kind == "waits" or (kind == "late" and not again):
    time.sleep(30)
open(f"{folder}/metrics.json", "w").write('{"auc": 0.9}')
write("finished")
"""


BOTH = pytest.mark.parametrize("start", ["pbs", "lsf"], indirect=True)
# What does not depend on the commands.
ONE = pytest.mark.parametrize(
    "start", ["pbs", pytest.param("lsf", marks=pytest.mark.extended)], indirect=True
)


@pytest.fixture
def start(request, tmp_path, batch_system, monkeypatch, capsys):
    """Run jobs named `<number>-<what they do>`; gives launcher, entries, thread and error."""
    for key, value in batch_system.environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(queue, "SECONDS_BETWEEN_QUESTIONS", 0.15)
    monkeypatch.setattr(script_launcher, "SECONDS_BETWEEN_LOOKS", 0.05)
    monkeypatch.setattr(script_launcher, "SECONDS_BETWEEN_TRIES", 0.1)
    # In the place of a training, which would import PyTorch.
    monkeypatch.setattr(
        job_script, "child_python", lambda *words: [sys.executable, "-S", "-c", JOB, words[2]]
    )
    sweep = tmp_path / "sweep"
    sweep.mkdir()
    threads = []

    def run(*kinds, fail_fast=False, **changes):
        launcher = request.param
        values = OmegaConf.to_container(OmegaConf.load(host_conf() / "launch" / f"{launcher}.yaml"))
        settings = LaunchByScript(**(values | changes))
        ours = ScriptLauncher(settings, sweep, SCHEDULERS[launcher]())
        record = SweepFile("test", metric="auc", direction="maximize")
        follower = Follower(sweep, record, ours, fail_fast=fail_fast)
        config = SimpleNamespace(train=SimpleNamespace(weights="last"))
        placed = []
        for number, kind in enumerate(kinds):
            entry = record.add(f"{number}-{kind}", {"n": number})
            entry.run = f"{number}-{kind}"
            folder = sweep / entry.run
            folder.mkdir(exist_ok=True)
            follower.add(entry, config)
            placed.append(PlacedJob(entry.id, folder, {}))
        errors = []

        def work():
            try:
                ours.run(placed, follower)
            except BaryonError as error:
                errors.append(str(error))

        thread = threading.Thread(target=work)
        threads.append((thread, ours))
        thread.start()
        return SimpleNamespace(
            jobs=record.jobs, folders=[job.folder for job in placed], errors=errors, thread=thread,
            launcher=ours, name=ours.scheduler, sweep=sweep, system=batch_system,
        )  # fmt: skip

    yield run
    batch_system.end()
    for thread, ours in threads:
        ours._stopping = True
        thread.join(20)
        assert not thread.is_alive()


def wait_for(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@BOTH
def test_jobs_are_run_so_many_at_a_time_and_their_ends_are_told(start, capsys):
    run = start("works", "fails", "killed", "works", jobs=2)
    wait_for(lambda: (run.folders[1] / "begun").exists())
    wait_for(lambda: len(run.system.states()) >= 2)
    assert len(run.system.states()) < 4  # the last one is not submitted yet
    (run.sweep / "fail").touch()
    run.thread.join(30)
    assert run.errors == []
    assert [job.state for job in run.jobs] == ["finished", "failed", "failed", "finished"]
    assert run.jobs[0].value == 0.9
    assert run.jobs[1].error == "no such data"
    assert run.jobs[2].error == "Out of memory"
    assert (run.folders[1] / "stderr.txt").read_text() == "baryon: error: no such data\n"
    assert "warning: job 1 (n=1): no such data" in capsys.readouterr().out


@BOTH
def test_with_fail_fast_jobs_that_run_write_checkpoints_and_those_that_wait_are_cancelled(start):
    run = start("fails", "waits", "works", "works", jobs=3, fail_fast=True)
    wait_for(lambda: all((folder / "begun").exists() for folder in run.folders[:2]))
    wait_for(lambda: run.system.states() == ["running", "running", "waiting"])
    (run.system.folder / "paused").touch()  # no other job begins in the place of the first
    (run.sweep / "fail").touch()
    run.thread.join(30)
    assert [job.state for job in run.jobs] == ["failed", "waiting", "waiting", "waiting"]
    assert not run.thread.is_alive()
    assert job_status.read(run.folders[1]).batch_job is not None  # it wrote so itself, by SIGUSR1
    assert run.system.states() == ["ended"] * 3  # a fourth was never submitted
    assert not (run.folders[2] / "begun").exists()


@BOTH
def test_jobs_that_the_user_cancels_are_told(start, capsys):
    run = start("waits", "waits", "works")
    wait_for(lambda: all((folder / "begun").exists() for folder in run.folders[:2]))
    wait_for(lambda: len(run.launcher._submitted) == 3)
    (run.system.folder / "paused").touch()
    numbers = [number for number, _ in sorted(run.launcher._submitted.items())]
    commands = run.launcher._scheduler
    commands.cancel([numbers[2]])
    wait_for(lambda: run.jobs[2].state == "failed")
    assert run.jobs[2].error == f"{run.name} job {numbers[2]} was cancelled before it began"
    commands.cancel(numbers[:2])
    run.thread.join(30)
    assert [job.state for job in run.jobs[:2]] == ["waiting", "waiting"]
    said = capsys.readouterr().out
    assert f"{run.name} job {numbers[0]} was stopped; it does not resume by itself" in said


@ONE
def test_a_job_whose_script_fails_is_told_with_what_the_script_said(start):
    run = start("works", setup=["module_of_nobody || exit 3"])
    (run.folders[0] / "stderr.txt").write_text("baryon: error: of an earlier attempt\n")
    run.thread.join(30)
    assert run.jobs[0].state == "failed"
    error = run.jobs[0].error
    assert error.startswith(f"{run.name} job 1")
    assert " ended before its training began: " in error
    assert error.endswith("module_of_nobody: command not found")


SHORT = {"timeout_min": 1, "signal_delay_s": 59, "max_num_timeout": 1}


@ONE
def test_a_job_whose_time_is_up_is_submitted_again(start, capsys):
    run = start("late", **SHORT)
    run.thread.join(30)
    assert run.jobs[0].state == "finished"
    assert len(run.system.states()) == 2
    assert capsys.readouterr().out.count("its time was up; it is submitted again") == 1


@pytest.mark.extended
@BOTH
def test_a_job_is_submitted_again_no_more_often_than_asked(start, capsys):
    run = start("waits", **SHORT)
    run.thread.join(30)
    assert run.jobs[0].state == "waiting"
    assert len(run.system.states()) == 2
    assert "was stopped; it does not resume by itself" in capsys.readouterr().out


@ONE
def test_a_job_that_is_not_taken_is_one_line(start):
    run = start("waits", "works", jobs=1)
    wait_for(lambda: (run.folders[0] / "begun").exists())
    (run.system.folder / "refuses").write_text("would exceed queue's per-user limit")
    run.launcher._scheduler.warn(list(run.launcher._submitted))
    run.thread.join(30)
    assert "took no job" in run.errors[0]
    assert run.errors[0].endswith("would exceed queue's per-user limit")


@ONE
def test_a_site_that_takes_no_further_job_for_now_is_asked_later(start, capsys):
    run = start("waits", "works", "works", jobs=2)
    wait_for(lambda: len(run.system.states()) == 2)
    (run.system.folder / "refuses").write_text("would exceed queue's per-user limit")
    wait_for(lambda: run.jobs[1].state == "finished")
    wait_for(lambda: run.launcher._next_try)
    (run.system.folder / "refuses").unlink()
    wait_for(lambda: run.jobs[2].state == "finished")
    run.launcher._scheduler.warn(list(run.launcher._submitted))
    run.thread.join(30)
    assert run.errors == []
    said = capsys.readouterr().out
    assert said.count("would exceed queue's per-user limit; 1 jobs are submitted later") == 1


@BOTH
def test_jobs_that_an_earlier_start_has_left_are_not_submitted_again(start, capsys):
    """Its process has died: nothing has told the jobs to end."""
    first = start("waits", "waits", "works")
    wait_for(lambda: all((folder / "begun").exists() for folder in first.folders[:2]))
    wait_for(lambda: len(first.launcher._submitted) == 3)
    numbers = sorted(first.launcher._submitted)
    first.launcher._submitted.clear()
    first.launcher._stopping = True
    first.thread.join(30)
    other = job_script.number_file(first.sweep, "1-waits")
    other.write_text(numbers[0])  # of another job: by its name it is not ours
    again = start("waits", "waits", "works", jobs=9)
    wait_for(lambda: len(again.launcher._submitted) == 3)
    assert set(numbers) - set(again.launcher._submitted) == {numbers[1]}
    assert "2 jobs are still in the queue of " in capsys.readouterr().out
    again.launcher._scheduler.warn([numbers[0], numbers[1]])
    wait_for(lambda: again.jobs[2].state == "finished")
    again.launcher.stop()
    again.thread.join(30)
    assert len(again.system.states()) == 4


@pytest.mark.extended
@BOTH
def test_a_batch_system_that_is_silent_for_a_while_loses_no_job(start):
    run = start("waits")
    wait_for(lambda: (run.folders[0] / "begun").exists())
    (run.system.folder / "silent").touch()
    time.sleep(0.5)  # several questions
    assert run.thread.is_alive()
    (run.system.folder / "silent").unlink()
    run.launcher._scheduler.warn(list(run.launcher._submitted))
    run.thread.join(30)
    assert run.jobs[0].state == "waiting"


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["pbs", pytest.param("lsf", marks=pytest.mark.extended)])
def test_a_training_in_a_script_is_that_of_this_machine(
    sweep_here, left, batch_system, monkeypatch, launcher
):
    monkeypatch.setattr(queue, "SECONDS_BETWEEN_QUESTIONS", 0.2)
    few = ("model.width=2,2", "train.steps=2", "sweep.name=batch")
    done = sweep_here(*few, f"launch={launcher}", **batch_system.environment)
    assert done.returncode == 0, done.stderr + done.stdout
    assert len(batch_system.states()) == 1
    (job,) = left().jobs
    folder = left().path / job["run"]
    assert job["state"] == "finished"
    assert "steps 1 to 2" in (folder / "output.txt").read_text()
    assert job_status.read(folder).batch_job is not None
    again = sweep_here(*few)  # here now, where nothing is left to do
    assert "1 finished before and skipped" in again.stdout


@pytest.mark.extended
@pytest.mark.mpi
def test_a_training_of_two_ranks_writes_its_checkpoint_in_time_and_goes_on(
    sweep_here, left, batch_system, monkeypatch, tmp_path
):
    """The time of the first attempt is up while it trains, whose ranks mpiexec has started."""
    monkeypatch.setattr(queue, "SECONDS_BETWEEN_QUESTIONS", 0.2)
    mpiexec = Path(sys.executable).parent / "mpiexec"
    mark = tmp_path / "mark"  # of the first attempt, whose steps are slow
    pause = f"$(test -e {mark} && echo 0 || echo 1)"
    variables = {**OPEN_MPI, "TOY_PAUSE": pause}
    setup = [*(f"export {name}={value}" for name, value in variables.items()), f"touch {mark}"]
    done = sweep_here(
        *("model.width=2,2", "train.epochs=10", "train.checkpoint_every_steps=1000"),
        *("launch=pbs", "launch.ranks=2", f"launch.mpiexec={mpiexec}", "comm=sync"),
        *("launch.timeout_min=1", "launch.signal_delay_s=30", "launch.max_num_timeout=2"),
        f"launch.setup=[{','.join(map(repr, setup))}]",
        **batch_system.environment,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "its time was up; it is submitted again" in done.stdout
    assert left().states == ["finished"]
    said = (left().path / left().jobs[0]["run"] / "output.txt").read_text()
    assert "stopped by SIGUSR1 after step " in said
    assert "steps 1 to 40" in said
    assert len(batch_system.states()) > 1
