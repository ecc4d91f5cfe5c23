"""A field of tests' own, small enough that a job of a sweep takes a moment; and what goes wrong."""

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

from baryon import figures
from baryon.cli import main
from baryon.errors import BaryonError
from baryon.sweeps import run_job
from baryon.sweeps.launcher import PlacedJob
from baryon.sweeps.local import LocalLauncher

BARYON = Path(sys.executable).parent / "baryon"
BATCH_SYSTEM = Path(__file__).parents[1] / "toys" / "batch_system.py"

INIT = """
from baryon import hookimpl

@hookimpl
def baryon_datasets():
    return {"toy_line": "PACKAGE.parts:Line"}

@hookimpl
def baryon_models():
    return {"toy_net": "PACKAGE.parts:toy_net"}

@hookimpl
def baryon_losses():
    return {"toy_squares": "PACKAGE.parts:toy_squares"}

@hookimpl
def baryon_evaluators():
    return {"toy_error": "PACKAGE.parts:Error"}
"""

PARTS = '''
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch

from baryon.errors import BaryonError
from baryon.interfaces import Dataset, Evaluation, Field, Split


class Line(Dataset):
    def __init__(self, *, val: int) -> None:
        sizes = {"train": 64, "val": val, "test": 32}
        self.splits = {name: LineSplit(size) for name, size in sizes.items() if size}


class LineSplit(Split):
    fields = {"inputs": Field(shape=(1,), dtype="float32"), "y": Field((1,), "float32")}

    def __init__(self, size: int) -> None:
        x = np.linspace(-1, 1, size, dtype="float32")[:, None]
        self.values = {"inputs": x, "y": np.sin(3 * x)}

    def __len__(self):
        return len(self.values["y"])

    def chunk_starts(self):
        return range(0, len(self), 16)

    def read(self, start, stop):
        return {name: value[start:stop] for name, value in self.values.items()}

    def fingerprint(self):
        return f"line of {len(self)}"

    def close(self):
        pass


class Net(torch.nn.Sequential):
    """Trouble comes from the environment, so that it is no part of what a job is."""

    def forward(self, inputs):
        time.sleep(float(os.environ.get("TOY_PAUSE", 0)))
        width = str(self[0].out_features)
        if width in os.environ.get("TOY_FAILS", "").split():
            raise BaryonError(f"a net of width {width} cannot be")
        if width in os.environ.get("TOY_FAILS_LATE", "").split():
            while not list(Path("runs").glob("*/fail")):
                time.sleep(0.05)
            raise BaryonError(f"a net of width {width} cannot be any more")
        if width in os.environ.get("TOY_CRASHES", "").split():
            os.kill(os.getpid(), signal.SIGKILL)
        if self.training and "TOY_CUT" in os.environ:
            left = int(os.environ["TOY_CUT"]) - 1
            os.environ["TOY_CUT"] = str(left)
            if left == 0:
                raise KeyboardInterrupt
        return super().forward(inputs)


def toy_net(*, width: int, dropout: float) -> torch.nn.Module:
    print("GPUs:", os.environ.get("CUDA_VISIBLE_DEVICES"))
    first, last = torch.nn.Linear(1, width), torch.nn.Linear(width, 1)
    return Net(first, torch.nn.Tanh(), torch.nn.Dropout(dropout), last)


class toy_squares:
    def __call__(self, output, batch):
        return {"squares": ((output - batch["y"]) ** 2).mean()}


class Error:
    def __init__(self) -> None:
        self.errors = []

    def update(self, output, batch):
        self.errors += (output - batch["y"]).abs().flatten().tolist()

    def state(self):
        return self.errors

    def merge(self, state):
        self.errors += state

    def result(self):
        mean = sum(self.errors) / len(self.errors)
        return Evaluation(f"error {mean}", {"error": mean, "nothing": float("nan")})
'''

TOY = {
    "__init__.py": INIT,
    "parts.py": PARTS,
    "conf/dataset/toy_line.yaml": "# A line\nval: 32\n",
    "conf/model/toy_net.yaml": "# A net\nwidth: 4\ndropout: 0.1\n",
    "conf/loss/toy_squares.yaml": "# Squares\n{}\n",
    "conf/evaluator/toy_error.yaml": "# Errors\n{}\n",
}

SWEEP = (
    *("train", "-m", "dataset=toy_line", "model=toy_net", "loss=toy_squares"),
    *("evaluator=toy_error", "train.batch_size=16", "train.log_every_steps=1"),
    *("train.epochs=3", "train.checkpoint_every_steps=2", "train.learning_rate=0.01"),
)

Sweep = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def toy(install, cache) -> dict[str, str]:
    """The environment in which the toy field is installed."""
    return os.environ | {
        "PYTHONPATH": str(install({"acme": {"toy": TOY}})),
        "XDG_CACHE_HOME": str(cache),
        "OMP_NUM_THREADS": "1",
        "NO_COLOR": "1",
    }


def _run_in_process(launcher: LocalLauncher, jobs: list[PlacedJob], observer) -> None:
    """Take the place of `LocalLauncher.run`: PyTorch is imported once for all jobs."""
    for job in jobs:
        if launcher._stopping.is_set():
            return
        observer.on_begin(job)
        # Its status tells how it ended.
        with suppress(BaryonError), pytest.MonkeyPatch.context() as patch:
            patch.setenv(run_job.ASKED, json.dumps(job.asked))
            run_job.run(job.folder)
        observer.on_change([job])


def _sweep_here(
    toy, folder: Path, arguments: tuple[str, ...], trouble: dict[str, str], *, jobs_too: bool = True
) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(toy["PYTHONPATH"])
        patch.setattr(sys, "argv", ["baryon"])
        if jobs_too:
            patch.setattr(LocalLauncher, "run", _run_in_process)
            # A third of a job's time, and shown by the tests of reports.
            patch.setattr(figures, "save", lambda *_: None)
        for key, value in {**toy, **trouble}.items():
            patch.setenv(key, value)
        return main([*SWEEP, *arguments])


@pytest.fixture
def sweep_here(toy, tmp_path, capfd) -> Sweep:
    """`baryon train -m ...` over the toy field, in the tests' own process, jobs too."""

    def run(*arguments: str, jobs_too: bool = True, **trouble: str):
        capfd.readouterr()
        code = _sweep_here(toy, tmp_path, arguments, trouble, jobs_too=jobs_too)
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return run


@pytest.fixture
def begin(toy, tmp_path, forked) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start one whose jobs take their time, and come back when a file like `pattern` is there."""
    processes: list[subprocess.Popen[str]] = []

    def run(
        *arguments: str,
        until: str,
        pause: str = "0.2",
        program: Path = forked.baryon,
        **environment: str,
    ):
        process = subprocess.Popen(
            [program, *SWEEP, *arguments],
            cwd=tmp_path,
            env=toy | {"TOY_PAUSE": pause} | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(until)):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


class SweepFolder:
    """What a sweep has left."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def jobs(self) -> list[dict]:
        """What `sweep.json` says of each job, by number."""
        return json.loads((self.path / "sweep.json").read_text())["jobs"]

    @property
    def states(self) -> list[str]:
        return [job["state"] for job in self.jobs]

    def weights(self) -> list[dict[str, torch.Tensor]]:
        paths = [self.path / job["run"] / "checkpoints" / "last.pt" for job in self.jobs]
        return [torch.load(path, weights_only=True)["model"] for path in paths]

    def same_as(self, other: "SweepFolder") -> bool:
        """All but how long it took, to the bit."""
        here, there = ([{**job, "seconds": 0} for job in one.jobs] for one in (self, other))
        pairs = zip(self.weights(), other.weights(), strict=True)
        return here == there and all(
            torch.equal(one[name], two[name]) for one, two in pairs for name in one
        )


@pytest.fixture
def left(tmp_path) -> Callable[[], SweepFolder]:
    """The only sweep of the test's folder."""

    def find() -> SweepFolder:
        (found,) = (tmp_path / "runs").glob("sweep-*")
        return SweepFolder(found)

    return find


@pytest.fixture(scope="session")
def error_line() -> Callable[[subprocess.CompletedProcess[str]], str]:
    """The one line that a command says when it fails."""

    def line(done: subprocess.CompletedProcess[str]) -> str:
        assert done.returncode == 1, done.stdout
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        return lines[0].removeprefix("baryon: error: ")

    return line


@pytest.fixture(scope="session")
def whole(toy, tmp_path_factory) -> SweepFolder:
    """A sweep over the widths 2 and 3 that nothing has interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    assert _sweep_here(toy, folder, ("model.width=2,3",), {}) == 0
    (found,) = (folder / "runs").glob("sweep-*")
    return SweepFolder(found)


class BatchSystem:
    """PBS and LSF on this machine, in `folder`; `path` is the PATH on which their commands lie."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir(parents=True)
        start = f"#!{sys.executable} -S\n"
        for name in ("qsub", "qstat", "qdel", "qsig", "bsub", "bjobs", "bkill"):
            (programs / name).write_text(start + BATCH_SYSTEM.read_text())
            (programs / name).chmod(0o755)
        self.environment = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "BATCH_SYSTEM": str(folder),
            "BATCH_SLOTS": "2",
        }

    def states(self) -> list[str]:
        """The state of each job, in the order of submission."""
        jobs = sorted(self.folder.glob("job-*"), key=lambda path: int(path.name[4:]))
        return [(job / "state").read_text() for job in jobs]

    def end(self) -> None:
        """Leave no process behind, however a test has ended."""
        for state in self.folder.glob("job-*/state"):
            state.write_text("ended")
        for process in self.folder.glob("job-*/process"):
            with suppress(ProcessLookupError):
                os.killpg(int(process.read_text()), signal.SIGKILL)


@pytest.fixture
def batch_system(tmp_path) -> Iterator[BatchSystem]:
    """PBS and LSF on this machine."""
    system = BatchSystem(tmp_path / "batch")
    yield system
    system.end()
