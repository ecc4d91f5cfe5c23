"""The wheel holds all that the tree does, and works away from it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SITE_PACKAGES = Path(pytest.__file__).parents[1]
PLACES = {
    "baryon": "platform/baryon",
    "baryon_conf": "conf",
    **{path.name: path.relative_to(ROOT).as_posix() for path in ROOT.glob("plugins/*/baryon_*")},
}
"""Package -> its folder in the tree."""
"""The one that lies in a namespace of others."""


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--target", target, wheel], check=True)
    return target


@pytest.fixture
def from_wheel(installed, environment, tmp_path):
    """Run Python with the wheel; -S leaves out the editable install, whose hook is a .pth file."""
    path = os.pathsep.join([str(installed), str(SITE_PACKAGES)])

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-S", *arguments],
            env=environment | {"PYTHONPATH": path},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


def test_it_holds_every_module_and_every_file_that_they_read(wheel):
    kinds = {".py", ".yaml", ".j2", ".sh", ".typed", ".h5", ".json"}
    wanted = {
        f"{package}/{path.relative_to(ROOT / place).as_posix()}"
        for package, place in PLACES.items()
        for path in (ROOT / place).rglob("*")
        if path.suffix in kinds or path.name == "py.typed"
    }
    assert {"baryon/py.typed", "baryon_conf/config.yaml"} <= wanted
    with zipfile.ZipFile(wheel) as archive:
        assert wanted - set(archive.namelist()) == set()


def test_it_holds_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PLACES)


def test_its_packages_come_from_where_it_was_installed(from_wheel, installed):
    names = ", ".join(PLACES)
    shown = from_wheel("-c", f"import {names}\nfor m in ({names},): print(*m.__path__)")
    folders = [Path(line) for line in shown.splitlines()]
    assert folders == [installed / package for package in PLACES]


def test_its_command_lists_its_plugins(from_wheel, installed):
    shown = from_wheel(str(installed / "bin" / "baryon"), "plugins")
    assert "hep_cnn" in shown
    assert shown.count(" ok ") == len(PLACES) - 2


def test_its_command_composes_the_shipped_experiment(from_wheel, installed, baryon):
    command = ("train", "experiment=hep_demo", "--cfg", "job")
    shown = from_wheel(str(installed / "bin" / "baryon"), *command)
    assert "name: hep_cnn" in shown
    assert shown == baryon(*command).stdout
