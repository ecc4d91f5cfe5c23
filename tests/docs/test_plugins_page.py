"""The package on the page about plugins is real: it is installed, checked and trained."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from baryon.interfaces import RUNTIME_ARGUMENTS

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = [
    re.fullmatch(r"# (\S+)\n(.*)", text, re.DOTALL)
    for kind, text in BLOCKS
    if kind in ("toml", "python", "yaml")
]
COMMANDS = [text for kind, text in BLOCKS if kind == "bash"]
TEXTS = [line for kind, text in BLOCKS if kind == "text" for line in text.splitlines()]
ERRORS = [line for line in TEXTS if line.startswith("baryon: error: ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the reader of the page has written its files."""
    folder = tmp_path_factory.mktemp("page")
    for file in FILES:
        name, text = file.groups()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def shell(folder, forked):
    """Run commands as the page has them; pip is told to install into a folder of the test."""
    target = folder / "installed"
    settings = {
        "PIP_TARGET": str(target),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # 0 turns the isolation off: the option is a negative one
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_UPGRADE": "1",
        "PYTHONPATH": str(target),
        "PATH": os.pathsep.join(
            [str(forked.folder), str(Path(sys.executable).parent), os.environ["PATH"]]
        ),
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }

    def run(commands: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=folder,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def done(shell) -> list[subprocess.CompletedProcess[str]]:
    """All commands of the page, in its order."""
    return [shell(commands) for commands in COMMANDS]


def test_every_file_of_the_page_starts_with_its_path():
    assert all(FILES)
    assert len(FILES) == 14


def test_the_page_tells_every_run_time_argument():
    for kind, arguments in RUNTIME_ARGUMENTS.items():
        (row,) = re.findall(rf"^\|.*`{kind}[=.]`.*\|$", PAGE, re.MULTILINE)
        assert re.findall(r"`(\w+)`", row.split("|")[-2]) == list(arguments)


@pytest.mark.slow
def test_every_command_of_the_page_works(done):
    for one in done:
        assert one.returncode == 0, one.stdout + one.stderr
    _, installing, training, blocking = (one.stdout for one in done)
    assert re.search(r"acme +│ acme-baryon +│ 0\.1 .* ok ", installing)
    assert "2 passed" in installing
    assert len(re.findall(r"accuracy \d+\.\d% on 500 samples", training)) == 2
    assert "5 samples put into classes" in training
    assert "acme_mlp is exported for inputs as it reads them" in training
    assert "hep_cnn" in blocking
    assert "acme" not in blocking


@pytest.mark.slow
def test_the_first_run_has_learnt_and_the_second_took_the_overlay(done, folder):
    runs = [path.parent for path in (folder / "runs").glob("2*/metrics.json")]
    configs = {run: yaml.safe_load((run / "config.yaml").read_text()) for run in runs}
    models = {config["model"]["depth"]: config["model"] for config in configs.values()}
    assert models[2] == {"name": "acme_mlp", "width": 64, "depth": 2, "classes": 2}
    assert models[1] == {"name": "acme_mlp", "width": 16, "depth": 1, "classes": 2}
    losses = {config["model"]["depth"]: config["loss"]["name"] for config in configs.values()}
    assert losses == {2: "acme_focal", 1: "hep_cross_entropy"}
    (learnt,) = (run for run, config in configs.items() if config["model"]["depth"] == 2)
    assert json.loads((learnt / "metrics.json").read_text())["accuracy"] > 0.75  # 0.5: guessed


LACKING = "acme_baryon/conf"
FAULTS = [
    (LACKING, "", ""),
    ("acme_baryon/__init__.py", "from baryon import", "import acme_secrets\nfrom baryon import"),
    ("acme_baryon/__init__.py", "def baryon_models", "def baryon_model"),
    ("acme_baryon/conf/model/acme_mlp.yaml", "width: 64", "widht: 64"),
    ("acme_baryon/conf/model/acme_mlp.yaml", "width: 64", "width: wide"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "fault"), list(enumerate(FAULTS)), ids=range(len(FAULTS)))
def test_the_errors_on_the_page_are_those_that_are_shown(done, shell, folder, number, fault):
    name, right, wrong = fault
    path = folder / "installed" / name
    with lacking(path) if name == LACKING else changed(path, right, wrong):
        failed = shell("baryon train dataset=acme_moons model=acme_mlp")
    assert len(ERRORS) == len(FAULTS)
    assert failed.returncode == 1
    assert failed.stderr == ERRORS[number] + "\n"


@contextmanager
def changed(path: Path, right: str, wrong: str) -> Iterator[None]:
    text = path.read_text()
    assert text.count(right) == 1
    path.write_text(text.replace(right, wrong))
    yield
    path.write_text(text)


@contextmanager
def lacking(folder: Path) -> Iterator[None]:
    """As installed from a wheel that has no package-data."""
    away = folder.rename(folder.with_name("away"))
    yield
    away.rename(folder)
