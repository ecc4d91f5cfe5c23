"""Fixtures that start several processes for real."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from baryon.interfaces import Field
from baryon.launch.mpiexec import launch_command, launch_environment
from baryon_hep.model.hep_cnn import hep_cnn

BARYON = Path(sys.executable).parent / "baryon"


@pytest.fixture
def launch(tmp_path, environment, forked) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`baryon launch ranks=N ...` in the test's folder."""

    def run(ranks: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [forked.baryon, "launch", f"ranks={ranks}", *arguments],
            cwd=tmp_path,
            env=environment,
            text=True,
            capture_output=True,
            timeout=150,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def train_toy(forked) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Train the toy in several ways, one after the other, in one job; see `on_ranks.py`."""
    script = str(Path(__file__).parent / "on_ranks.py")

    def run(folder: Path, ranks: int, ways) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            launch_command(ranks, [str(forked.python), script, str(folder), json.dumps(ways)]),
            env=launch_environment(ranks) | {"OMP_NUM_THREADS": "1"},
            text=True,
            capture_output=True,
            timeout=200,
        )

    return run


@pytest.fixture
def paper() -> torch.nn.Module:
    """The paper's network: six layers (reported)."""
    fields = {"inputs": Field((3, 224, 224), "float32")}
    return hep_cnn(
        filters=128, dropout=0.0, leakiness=0.0, padding="zeros", kernels="plain", fields=fields
    )


class Job:
    """A training that runs on several ranks, to be disturbed."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._output = folder / "output.txt"
        self._log = folder / "runs" / "job" / "metrics.jsonl"
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        self._mark = f"run.root={folder}/runs"

    def wait_for(self, steps: int) -> None:
        deadline = time.monotonic() + 90
        while not (self._log.is_file() and self._log.read_text().count("\n") >= steps):
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.02)

    def process_of(self, rank: int) -> int:
        wanted = f"OMPI_COMM_WORLD_RANK={rank}\0".encode()
        for process, environment in self._processes():
            if wanted in environment:
                return process
        raise AssertionError(f"rank {rank} does not run: {self.output()}")

    def _processes(self) -> Iterator[tuple[int, bytes]]:
        """The number and environment of each process that has this job's folder in its command."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().decode()
                environment = (folder / "environ").read_bytes()
            except OSError:  # it ended meanwhile
                continue
            if self._mark in command:
                yield int(folder.name), environment

    def kill(self, *ranks: int, number: int = signal.SIGKILL) -> None:
        for process in [self.process_of(rank) for rank in ranks]:
            os.kill(process, number)

    def end(self, seconds: float) -> int:
        """The exit code; an error if it hangs."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"hung: {self.output()}") from None

    def output(self) -> str:
        text = self._output.read_text(errors="replace").splitlines()
        return "\n".join(line for line in text if "NBC_Progress" not in line)

    def clean_up(self) -> None:
        for process, _ in self._processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def begin(tmp_path, environment, hep_files, forked):
    """Start a training as `job` and give it as it runs; `program` stands for `baryon`.

    Its ranks are forks, which end with the processes that mpiexec has started; a signal other than
    those that end one wants `forks=False`.
    """
    jobs = []

    def run(
        ranks: int,
        *arguments: str,
        tolerant: bool = True,
        forks: bool = True,
        program: tuple[str, ...] = (),
    ) -> Job:
        baryon = str(forked.baryon if forks else BARYON)
        train = [
            "train",
            *hep_files,
            f"run.root={tmp_path}/runs",
            "run.name=job",
            "train.checkpoint_every_steps=5",
            *arguments,
        ]
        if tolerant and not program:
            command = [baryon, "launch", f"ranks={ranks}", *train]
        else:
            command = launch_command(ranks, [*(program or (baryon,)), *train])
        if not tolerant:
            command = [part for part in command if part not in ("--with-ft", "ulfm")]
        jobs.append(Job(command, tmp_path, launch_environment(ranks) | environment))
        return jobs[-1]

    yield run
    for job in jobs:
        job.clean_up()
