"""Every shell and Python block of the README and of docs/ is executed, shortened to a few steps."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TESTED_ELSEWHERE = {
    "plugins.md": "test_plugins_page.py builds its package first",
    "predict.md": "its Python runs with its commands, see below",
    "export.md": "its Python runs with its commands, see below",
}
# The test split is a fifth as large as the shipped one: evaluation is most of so short a run. The
# file is the validation split's too, whose events may not come twice unless the check is off.
FEW_STEPS = (
    "train.steps=2 model.filters=8 evaluator.bootstrap=5 evaluator.example_images=0 "
    "dataset.test=pkg://baryon_hep/sample/hep_64_val.h5 dataset.check_event_ids=false"
)
FEW_FRAMES = "train.steps=2 evaluator.bootstrap=5 evaluator.example_maps=0"
SHORT = {
    "baryon train experiment=climate": FEW_FRAMES,
    "baryon train -m experiment=hep_demo sweep=optuna": f"{FEW_STEPS} sweep.trials=1",
    "baryon train": FEW_STEPS,
    "baryon launch": FEW_STEPS,
    "baryon scale measure": "model.filters=4 repeats=2",
    "baryon scale": "steps=40",
    "baryon data generate dataset=hep": (
        "generate.events=12 generate.part_events=6 'generate.pt_hat_slices=[800,1100,1500]'"
    ),
}


def blocks(page: Path, language: str = "bash") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def shortened(block: str) -> str:
    """The block with fewer steps, without `make` (its targets are checked below)."""
    lines = []
    for line in block.replace("\\\n", "").replace(".venv/bin/baryon", "baryon").splitlines():
        command = line.split("  #")[0].rstrip()
        extra = next((more for start, more in SHORT.items() if command.startswith(start)), "")
        if not command.startswith("make ") and "--help" not in command:
            lines.append(f"{command} {extra}".rstrip() if extra else command)
    return "\n".join(["set -e", *lines])


@pytest.fixture
def run_in_bash(tmp_path, environment, forked) -> Callable[[str], None]:
    """Run a script in the test's folder; `baryon` and `python` in it are forks."""
    folders = (forked.folder, Path(sys.executable).parent)
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])

    def run(script: str) -> None:
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment | {"PATH": path},
            text=True,
            capture_output=True,
            timeout=280,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"

    return run


# Their commands are those of other pages, with other values.
SIMILAR = ("index.md", "sweeps.md", "tutorial-physicist.md", "tutorial-climate.md")


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.extended) if page.name in SIMILAR else page
        for page in PAGES
    ],
    ids=lambda page: page.name,
)
def test_the_commands_of_a_page_run(page, run_in_bash):
    if page.name in TESTED_ELSEWHERE:
        pytest.skip(TESTED_ELSEWHERE[page.name])
    for block in blocks(page):
        run_in_bash(shortened(block))


@pytest.mark.slow
def test_the_python_of_predictions_and_exports_runs_after_their_commands(tmp_path, run_in_bash):
    pages = [ROOT / "docs" / name for name in ("predict.md", "export.md")]
    lines = [line for page in pages for block in blocks(page) for line in block.splitlines()]
    commands = shortened("\n".join(dict.fromkeys(lines)))  # both train the same run first
    programs = [program for page in pages for program in blocks(page, "python")]
    assert len(programs) == 4
    (tmp_path / "programs.py").write_text("\n".join(programs))
    run_in_bash(f"{commands}\npython programs.py")


WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page, tmp_path, environment, forked):
    """The tests in it too, for pages show what a test of a plugin calls."""
    if page.name in TESTED_ELSEWHERE:
        pytest.skip(TESTED_ELSEWHERE[page.name])
    for number, block in enumerate(blocks(page, "python")):
        (tmp_path / f"test_{number}.py").write_text(f"{block}\n\ndef test_it_ran(): ...\n")
    done = subprocess.run(
        [forked.python, "-m", "pytest", "-q", tmp_path],
        cwd=tmp_path,
        env=environment,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_scripts_of_a_page_are_shell(page):
    """Those that only a cluster can run are at least read by a shell."""
    for script in blocks(page, "sh"):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_the_make_targets_of_the_pages_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for page in PAGES
        for block in blocks(page)
        for target in re.findall(r"^make ([\w-]+)", block, re.MULTILINE)
    }
    assert {"demo", "test"} <= named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_the_first_run_is_within_twenty_lines():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert any("make demo" in line for line in lines[:20])
