"""Fixtures that all tests share: files of events, the command line, plugins that pip installs."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("baryon", deadline=None)  # machines differ, and are shared
settings.load_profile("baryon")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


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
def short_run(tmp_path_factory, hep_files, cache) -> Path:
    """A finished run of three steps, with its `train.h5` beside `runs/`; do not change it."""
    folder = tmp_path_factory.mktemp("short")
    _write_events(folder / "train.h5", 48, seed=7)
    few = ["train.steps=3", "run.name=short", "evaluator.example_images=4"]
    given = [*hep_files, "dataset.train=train.h5", *few]
    variables = os.environ | {"XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"}
    command = [BARYON, "train", *given]
    subprocess.run(command, cwd=folder, env=variables, check=True, capture_output=True)
    return folder / "runs" / "short"


@pytest.fixture
def environment(cache) -> dict[str, str]:
    """What a command of the tests runs in: a cache of its own, one thread, no colours."""
    return os.environ | {"XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


@pytest.fixture
def baryon(tmp_path, environment) -> Command:
    """Run `baryon <arguments>` in the test's folder."""

    def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
        settings = {"cwd": tmp_path, "env": environment, "timeout": 120} | options
        return subprocess.run(
            [BARYON, *arguments], text=True, capture_output=True, check=False, **settings
        )

    return run


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
