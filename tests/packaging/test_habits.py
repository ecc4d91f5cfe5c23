"""The habits of the house, kept by tests."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "platform", ROOT / "plugins", ROOT / "conf"]
BIN = Path(sys.executable).parent


def test_platform_is_no_package_which_would_hide_the_standard_librarys():
    assert (ROOT / "platform" / "baryon" / "__init__.py").is_file()
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_no_folder_or_module_is_named_after_nothing():
    places = [*SOURCES, ROOT / "tests", ROOT / "benchmarks"]
    paths = [path for place in places for path in place.rglob("*")]
    nameless = {"common", "core", "helpers", "misc", "utils"}
    assert len(paths) > 50
    assert [path for path in paths if path.stem in nameless] == []


def test_no_shipped_option_names_a_class():
    options = [path for place in SOURCES for path in place.rglob("*.yaml")]
    assert options
    assert [path for path in options if "_target_" in path.read_text(encoding="utf-8")] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",), ("lint-imports",)],
    ids=" ".join,
)
def test_the_tree_is_clean(command):
    tool, *arguments = command
    done = subprocess.run(
        [BIN / tool, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
