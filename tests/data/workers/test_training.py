"""Training whose input comes from processes: the same numbers, stopped and resumed or not."""

import os
import signal
import subprocess
import sys
import threading
import time
import types
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
import torch
from living import alive
from toy_points import Points

from baryon.config.compose import composed
from baryon.errors import BaryonError
from baryon.interfaces import Dataset
from baryon.plugins.components import Choice
from baryon.plugins.registry import Component, Plugin, Plugins, discover
from baryon.training.build import build_dataset

BARYON = Path(sys.executable).parent / "baryon"
STEPS = 40


@pytest.fixture(scope="module")
def arguments(tmp_path_factory, write_events) -> list[str]:
    """To train on a file whose filter the HDF5 library alone undoes, its images turned."""
    folder = tmp_path_factory.mktemp("events")
    plain = write_events(folder / "plain.h5", 64)
    with h5py.File(plain) as old, h5py.File(folder / "train.h5", "w") as new:
        for name, stored in old.items():
            way = {"compression": "gzip", "scaleoffset": 3, "chunks": stored.chunks}
            new.create_dataset(name, data=stored[:], **(way if name == "data" else {}))
    return [
        "dataset=hep_images",
        f"dataset.train={folder / 'train.h5'}",
        "dataset.augment=true",
        "model=hep_cnn",
        "model.filters=4",
        "evaluator.bootstrap=20",
        "evaluator.example_images=0",
        "train.batch_size=16",
        "train.log_every_steps=1",
        "train.validate_every_epochs=100",
        "train.checkpoint_every_steps=2",
        "data.window_mib=1",
    ]


def weights(folder: Path, name: str):
    path = folder / "runs" / name / "checkpoints" / "last.pt"
    return torch.load(path, weights_only=True)["model"]


def same(one, other) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def readers_of(pid: int) -> list[int]:
    """Its reading processes."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"workers.worker_process" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


@pytest.mark.slow
def test_a_killed_reader_ends_a_run_whose_resume_has_the_weights_of_threads(
    baryon, arguments, environment, tmp_path
):
    steps = f"train.steps={STEPS}"
    threads = baryon("train", *arguments, steps, "run.name=threads")
    assert threads.returncode == 0, threads.stderr
    run = subprocess.Popen(
        [BARYON, "train", *arguments, steps, "run.name=cut", "data.processes=2"],
        cwd=tmp_path,
        env=environment,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while not (tmp_path / "runs" / "cut" / "checkpoints" / "last.pt").exists():
        assert run.poll() is None
        time.sleep(0.01)
    pids = readers_of(run.pid)
    os.kill(pids[0], signal.SIGKILL)
    _, err = run.communicate(timeout=60)
    (line,) = err.strip().splitlines()
    assert run.returncode == 1
    assert line.startswith("baryon: error: reading process ")
    assert f"of 2 (pid {pids[0]}) was killed by SIGKILL, perhaps out of memory" in line
    assert not any(map(alive, pids))
    resumed = baryon("resume", "run=runs/cut", "data.processes=1")
    assert resumed.returncode == 0, resumed.stderr
    assert "1 process decoding" in resumed.stdout
    assert same(weights(tmp_path, "cut"), weights(tmp_path, "threads"))


@pytest.mark.slow
@pytest.mark.mpi
@pytest.mark.extended
def test_each_rank_has_processes_of_its_own(arguments, environment, tmp_path):
    mpiexec = [BARYON.with_name("mpiexec"), "-n", "2", "--oversubscribe", "--allow-run-as-root"]
    done = subprocess.run(
        [*mpiexec, BARYON, "train", *arguments, "comm=sync", "train.steps=3", "data.processes=1"],
        cwd=tmp_path,
        env=environment,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("1 process decoding") == 1


class Locked(Points):
    """Points that cannot be sent."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class Data(Dataset):
    def __init__(self):
        self.splits = {"train": Locked()}


def test_a_dataset_that_cannot_be_sent_is_named(monkeypatch):
    module = types.ModuleType("locked_parts")
    module.Data = Data
    monkeypatch.setitem(sys.modules, "locked_parts", module)
    component = Component("dataset", "locked_points", "locked_parts:Data", "locked")
    plugins = Plugins([*discover().all, Plugin("locked", "locked", "1", [component])])
    config = composed(["experiment=hep_demo", "data.processes=1"], discover())
    choices = {**config.choices, "dataset": Choice("dataset", "locked_points", {})}
    with pytest.raises(BaryonError) as raised:
        build_dataset(replace(config, choices=choices), plugins)
    assert str(raised.value) == (
        "split 'train' of dataset 'locked_points' of plugin 'locked' cannot be sent to reading "
        "processes (TypeError: cannot pickle '_thread.lock' object): set data.processes=0, or let "
        "its class leave out open files and locks in __getstate__ (docs/plugins.md)"
    )


def test_a_negative_number_of_processes_is_refused():
    with pytest.raises(BaryonError, match=r"^data\.processes=-1 must be 0 or more$"):
        composed(["experiment=hep_demo", "data.processes=-1"], discover())
