"""Training whose input comes from processes: the same numbers, stopped and resumed or not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
import torch
from living import alive, all_end

pytestmark = pytest.mark.slow

BARYON = Path(sys.executable).parent / "baryon"
STEPS = 12


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


def test_the_weights_are_those_of_threads_even_after_kill_and_resume(
    baryon, arguments, environment, tmp_path
):
    steps = f"train.steps={STEPS}"
    threads = baryon("train", *arguments, steps, "run.name=threads")
    assert threads.returncode == 0, threads.stderr
    started = subprocess.Popen(
        [BARYON, "train", *arguments, steps, "run.name=cut", "data.processes=2"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoint = tmp_path / "runs" / "cut" / "checkpoints" / "last.pt"
    pids = []
    while not checkpoint.exists():
        pids = readers_of(started.pid)
        assert started.poll() is None
        time.sleep(0.01)
    started.kill()
    started.wait()
    assert len(pids) == 2
    assert not (tmp_path / "runs" / "cut" / "metrics.json").exists(), "it was killed too late"
    assert all_end(pids)
    resumed = baryon("resume", "run=runs/cut", "data.processes=1")
    assert resumed.returncode == 0, resumed.stderr
    assert "1 process decoding" in resumed.stdout
    assert same(weights(tmp_path, "cut"), weights(tmp_path, "threads"))


def test_a_killed_reader_ends_a_run_with_one_line(arguments, environment, tmp_path):
    run = subprocess.Popen(
        [BARYON, "train", *arguments, "train.steps=5000", "data.processes=2"],
        cwd=tmp_path,
        env=environment,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while not list(tmp_path.glob("runs/*/checkpoints/last.pt")):
        assert run.poll() is None
        time.sleep(0.02)
    pids = readers_of(run.pid)
    os.kill(pids[0], signal.SIGKILL)
    _, err = run.communicate(timeout=60)
    (line,) = err.strip().splitlines()
    assert run.returncode == 1
    assert line.startswith("baryon: error: reading process ")
    assert f"of 2 (pid {pids[0]}) was killed by SIGKILL, perhaps for want of memory" in line
    assert not any(map(alive, pids))


@pytest.mark.mpi
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


PLUGIN = """
import threading
import numpy as np
from baryon.interfaces import Dataset, Field, Split


class Data(Dataset):
    \"\"\"Points that cannot be sent.\"\"\"

    def __init__(self) -> None:
        self.splits = {"train": Locked()}


class Locked(Split):
    fields = {"inputs": Field((2,), "float32"), "label": Field((), "int64")}

    def __init__(self):
        self.lock = threading.Lock()

    def __len__(self):
        return 8

    def chunk_starts(self):
        return [0]

    def read(self, start, stop):
        return {"inputs": np.zeros((stop - start, 2), "f4"), "label": np.zeros(stop - start, int)}

    def fingerprint(self):
        return "zeros"

    def close(self): ...
"""
HOOKS = """
from baryon import hookimpl

@hookimpl
def baryon_datasets():
    return {"locked_points": "PACKAGE.parts:Data"}
"""


def test_a_dataset_that_cannot_be_sent_is_named(install, baryon, environment, tmp_path):
    yaml = "# A toy\nname: locked_points\n"
    files = {"__init__.py": HOOKS, "parts.py": PLUGIN, "conf/dataset/locked_points.yaml": yaml}
    target = install({"locked": {"locked": files}})
    done = baryon(
        "train",
        "dataset=locked_points",
        "model=hep_cnn",
        "loss=hep_cross_entropy",
        "evaluator=hep_roc",
        "data.processes=1",
        env=environment | {"PYTHONPATH": str(target)},
    )
    assert done.returncode == 1
    assert done.stderr == (
        "baryon: error: split 'train' of dataset 'locked_points' of plugin 'locked' cannot be sent "
        "to reading processes (TypeError: cannot pickle '_thread.lock' object): set "
        "data.processes=0, or let its class leave out open files and locks in __getstate__ "
        "(docs/plugins.md)\n"
    )
    assert not (tmp_path / "runs").exists()


def test_a_number_below_none(baryon, arguments):
    done = baryon("train", *arguments, "data.processes=-1")
    assert done.stderr == "baryon: error: data.processes=-1 must be 0 or more\n"
