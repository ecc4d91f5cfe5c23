"""Every shell block of the README and of docs/ is executed, shortened to a few steps."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TESTED_ELSEWHERE = {"plugins.md": "test_plugins_page.py builds its package first"}
FEW_STEPS = (
    "train.steps=2 model.filters=8 evaluator.bootstrap=5 evaluator.example_images=0 "
    "dataset.test=pkg://baryon_hep/sample/hep_64_val.h5"  # the smallest of the sample
)
SHORT = {
    "baryon train -m experiment=hep_demo sweep=optuna": f"{FEW_STEPS} sweep.trials=1",
    "baryon train": FEW_STEPS,
    "baryon launch": FEW_STEPS,
    "baryon data generate": "generate.events=24 generate.part_events=8",
}


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```bash\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def shortened(block: str) -> str:
    """The block with fewer steps, without `make` (its targets are checked below)."""
    lines = []
    for line in block.replace("\\\n", "").replace(".venv/bin/baryon", "baryon").splitlines():
        command = line.split("  #")[0].rstrip()
        extra = next((more for start, more in SHORT.items() if command.startswith(start)), "")
        if not command.startswith("make ") and "--help" not in command:
            lines.append(f"{command} {extra}".rstrip() if extra else command)
    return "\n".join(["set -e", *lines])


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(page, tmp_path, environment):
    if page.name in TESTED_ELSEWHERE:
        pytest.skip(TESTED_ELSEWHERE[page.name])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in blocks(page):
        done = subprocess.run(
            ["bash", "-c", shortened(block)],
            cwd=tmp_path,
            env=environment | {"PATH": path},
            text=True,
            capture_output=True,
            timeout=280,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"


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
