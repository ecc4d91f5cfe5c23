"""A run is made again; what came out is compared, and what was changed is found."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from baryon.cli import main
from baryon.commands.reproduce import _compare
from baryon.config.option_values import option_values
from baryon.launch.mpiexec import launch_command, launch_environment
from baryon.plugins.registry import discover
from baryon.runs import provenance as provenance_file
from baryon.runs import reproduction
from baryon.runs.directory import RunDirectory
from baryon.runs.git_state import GitState
from baryon.runs.provenance import Provenance, RankProvenance
from baryon.runs.reproduction import (
    Difference,
    changed_surroundings,
    curve,
    metrics,
    surroundings,
    verdict,
    weights,
)


@pytest.fixture
def old(short_run, tmp_path, monkeypatch, cache) -> Path:
    """A copy of it, as if it had been trained here."""
    shutil.copytree(short_run.parents[1], tmp_path, dirs_exist_ok=True)  # with times of change
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.chdir(tmp_path)
    run = (tmp_path / "runs" / "short").rename(tmp_path / "runs" / "old")
    edit(run / "provenance.json", folder=str(tmp_path))
    change(run / "config.yaml", "example_images: 4", "example_images: 0")  # quicker, no metric
    return run


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def reproduce(capsys, *arguments: str) -> tuple[int, list[str]]:
    """Exit code, and the lines of what was said."""
    code = main(["reproduce", "run=runs/old", *arguments])
    return code, capsys.readouterr().out.splitlines()


def found(run: Path) -> dict:
    (again,) = (run / "reproductions").iterdir()
    return json.loads((again / "reproduction.json").read_text())


@pytest.mark.slow
def test_the_same_is_bitwise_equal(old, capsys):
    before = (old / "checkpoints" / "last.pt").read_bytes()
    code, said = reproduce(capsys)
    assert said[-1].endswith(": bitwise equal: weights, loss curve and metrics")
    assert code == 0
    assert found(old)["equal"]
    assert (old / "checkpoints" / "last.pt").read_bytes() == before
    assert main(["report", "run=runs/old"]) == 0
    assert "bitwise equal" in (old / "report.html").read_text()
    # The same two runs, one of them touched: within the tolerance, then out of it.
    (again,) = (old / "reproductions").iterdir()
    lines = [json.loads(line) for line in (old / "metrics.jsonl").read_text().splitlines()]
    step = next(n for n, line in enumerate(lines) if line["kind"] == "train" and line["step"] == 2)
    loss = lines[step]["loss"]
    for change, tolerance, code, text in (
        (1 + 1e-5, 1e-3, 0, "equal within tolerance (max relative difference 1e-05, in loss"),
        (1 + 1e-5, 1e-6, 1, "different, first in loss (train) at step 2: "),
        (1.5, 1e-3, 1, "different, first in loss (train) at step 2: "),
    ):
        lines[step]["loss"] = loss * change
        (old / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        provenance = provenance_file.read(RunDirectory(old))
        assert _compare(RunDirectory(old), RunDirectory(again), provenance, tolerance, []) == code
        assert text in capsys.readouterr().out


@pytest.mark.slow
def test_another_seed_is_found_at_the_first_step(old, capsys):
    change(old / "config.yaml", "seed: 1\n", "seed: 2\n")
    code, said = reproduce(capsys)
    assert code == 1
    assert ": different, first in cross_entropy (train) at step 1: " in said[-1]
    assert not found(old)["equal"]


@pytest.mark.slow
def test_other_data_are_told_and_found(old, write_events, capsys):
    write_events(old.parents[1] / "train.h5", 48, seed=8)
    code, said = reproduce(capsys)
    assert code == 1
    assert any("not as it was: the data of split train was" in line for line in said)
    assert ": different, first in cross_entropy (train) at step 1: " in said[-1]


def test_what_cannot_be_compared_is_one_line_before_any_training(old, capsys):
    def line(*arguments: str) -> str:
        assert main(["reproduce", *(arguments or ["run=runs/old"])]) == 1
        (said,) = capsys.readouterr().err.splitlines()
        assert not (old / "reproductions").exists()
        return said

    last = (old / "checkpoints" / "last.pt").resolve()
    whole = last.read_bytes()
    last.write_bytes(whole[: len(whole) // 2])
    assert "last.pt" in line()
    last.write_bytes(whole)
    log = old / "metrics.jsonl"
    log.rename(old / "away")
    assert "it has no metrics.jsonl" in line()
    (old / "away").rename(log)
    (old / "provenance.json").rename(old / "away")
    assert "has no provenance.json" in line()
    (old / "provenance.json").write_text('{"format": 99, "baryon": "9.9"}')
    assert "run format 99, written by baryon 9.9" in line()
    (old / "provenance.json").write_text("{")
    assert "provenance.json is damaged" in line()
    assert "tolerance=-1 must be a number" in line("run=runs/old", "tolerance=-1")
    assert "reproduce takes no 'seed='; choose from: folder=, run=, tolerance=" in line(
        "run=runs/old", "seed=2"
    )
    assert "is not a run folder" in line("run=runs")
    (old / "metrics.json").unlink()
    assert "has not finished" in line()


@pytest.mark.slow
def test_a_data_file_that_is_gone_is_one_line(old, capsys):
    (old.parents[1] / "train.h5").unlink()
    assert main(["reproduce", "run=runs/old"]) == 1
    assert "train.h5" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.mpi
def test_a_run_of_two_processes_is_made_by_two(old, baryon):
    """One synchronous group computes what one process does, up to rounding."""
    of_two_processes(old)
    done = baryon("reproduce", "run=runs/old")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": equal within tolerance (max relative difference" in done.stdout.splitlines()[-1]
    (again,) = (old / "reproductions").iterdir()
    assert len(list((again / "tensorboard").iterdir())) == 1  # only the leader tracks
    provenance = json.loads((again / "provenance.json").read_text())
    assert [rank["threads"] for rank in provenance["ranks"]] == [1, 1]
    assert "MPI" in provenance["machine"]["mpi"]


def of_two_processes(old: Path) -> None:
    """As if two processes had trained it, in one synchronous group."""
    provenance = json.loads((old / "provenance.json").read_text())
    edit(old / "provenance.json", ranks=provenance["ranks"] * 2)
    comm = option_values("comm", "comm", "sync", discover())
    config = OmegaConf.load(old / "config.yaml")
    config.comm = {"name": "sync", **comm}
    OmegaConf.save(config, old / "config.yaml")


@pytest.mark.slow
@pytest.mark.mpi
@pytest.mark.extended
def test_a_run_is_made_again_by_the_users_own_mpiexec(old, environment, tmp_path):
    """One folder, one verdict, every warning once."""
    of_two_processes(old)
    edit(old / "provenance.json", python="2.7.18")
    command = launch_command(2, REPRODUCE)
    done = launch(command, launch_environment(2) | environment, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": equal within tolerance (max relative difference") == 1
    assert done.stdout.count("not as it was: Python was 2.7.18") == 1
    assert found(old)["equal"]


@pytest.mark.slow
@pytest.mark.mpi
@pytest.mark.extended
def test_a_run_that_comes_out_otherwise_under_srun_ends_with_its_exit_code(
    old, environment, tmp_path, slurm
):
    of_two_processes(old)
    edit(old / "provenance.json", python="2.7.18")
    change(old / "config.yaml", "seed: 1\n", "seed: 2\n")
    command = ["srun", "-N", "2", "-n", "2", *REPRODUCE]
    done = launch(command, environment | {"SLURM_CONF": slurm["SLURM_CONF"]}, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("not as it was: Python was 2.7.18") == 1
    assert done.stdout.count(": different, first in cross_entropy (train) at step 1: ") == 1
    assert not found(old)["equal"]


REPRODUCE = (sys.executable, "-m", "baryon", "reproduce", "run=runs/old")


def launch(command, environment, folder) -> subprocess.CompletedProcess[str]:
    pipes = {"capture_output": True, "text": True, "timeout": 240}
    return subprocess.run(command, cwd=folder, env=environment, check=False, **pipes)


def test_provenance_holds_what_a_run_was_made_of(old):
    provenance = json.loads((old / "provenance.json").read_text())
    assert provenance["command"][:3] == ["baryon", "train", "dataset=hep_images"]
    assert provenance["seed"] == 1
    assert provenance["data"].keys() == {"train", "val", "test"}
    assert provenance["changed"]["train.steps"] is None
    assert provenance["changed"]["dataset.train"] == "???"
    assert "train.momentum" not in provenance["changed"]
    assert provenance["packages"].keys() >= {"torch", "numpy", "baryon"}
    assert provenance["ranks"][0]["threads"] == 1
    assert provenance["machine"]["memory_gib"] > 0
    assert provenance["git"] is None


def record(kind, step, **values):
    return {"kind": kind, "step": step, "seconds": step * 1.1, **values}


def test_a_curve_is_compared_step_by_step_and_not_its_speed():
    then = [record("train", 1, loss=1.0, ms={"a": 1}), record("train", 2, loss=0.5)]
    now = [record("train", 1, loss=1.0, ms={"a": 9}), record("train", 2, loss=0.25)]
    (one,) = curve(then, now)
    assert str(one) == "loss (train) at step 2: 0.5 then, 0.25 now (relative 0.5)"
    (gone,) = curve(then, now[:1])
    assert gone.relative == math.inf
    assert "not comparable" in str(gone)
    assert curve(then, then) == []


def test_metrics_that_nobody_knows_are_equal_and_others_not():
    assert metrics({"a": None, "b": 1.0}, {"a": None, "b": 1.0}) == []
    (one,) = metrics({"a": None}, {"a": 1.0})
    assert one.relative == math.inf
    (other,) = metrics({"a": 1.0, "b": 2.0}, {"a": 1.0})
    assert other.what == "metric b"


def test_weights_are_compared_to_the_bit():
    one = {"w": torch.ones(4), "b": torch.zeros(2)}
    assert weights(one, {"w": torch.ones(4), "b": torch.zeros(2)}) == []
    almost = {"w": torch.ones(4) * (1 + 2**-20), "b": torch.zeros(2)}
    (found,) = weights(one, almost)
    assert found.relative == pytest.approx(2**-20, rel=0.01)
    (shape,) = weights(one, one | {"w": torch.ones(5)})
    assert shape.relative == math.inf


def test_the_verdict_names_the_first_that_counts():
    small, large = Difference("a", 1, 1, 1e-6), Difference("b", 1, 2, 0.5)
    assert verdict([], 1e-3)[1]
    assert verdict([small], 1e-3)[1]
    text, equal = verdict([small, large], 1e-3)
    assert not equal
    assert text.startswith("different, first in b: 1 then, 2 now")


def test_what_is_not_as_it_was():
    ranks = [RankProvenance("h1", 2)]
    git = GitState("c1", "main", None, 0, 0)
    machine = {"processor": "X", "host": "h1"}
    old = Provenance(baryon="1", data={"train": "a"}, machine=machine, ranks=ranks, git=git)
    machine = {"processor": "Y", "host": "h2"}
    new = Provenance(baryon="2", data={"train": "b"}, machine=machine, ranks=ranks)
    then, now = surroundings(old), surroundings(new)
    assert changed_surroundings(then, now) == [  # git was not asked now: nothing is said of it
        "Baryon was 1, is 2",
        "the processor was X, is Y",
        "the data of split train was a, is b",
    ]
    assert changed_surroundings(then, {"baryon": "1", "commit": None}) == [
        "the commit was c1, is none"
    ]
    assert changed_surroundings(then, then) == []
    assert then.keys() == reproduction.SURROUNDINGS.keys()
