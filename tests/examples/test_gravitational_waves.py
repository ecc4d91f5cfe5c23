"""The example of another field, as its author's users get it: from wheels, in a clean place."""

import json
import shutil
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.mpi]

PROJECT = Path(__file__).parents[2] / "examples" / "gravitational-waves"
SMALL = [
    "train.epochs=1",
    "train.batch_size=32",
    "evaluator.false_alarm_seconds=20",
    "evaluator.templates=12",
]


@pytest.fixture(scope="module")
def place(clean_place, build_wheel, tmp_path_factory):
    """Baryon and the example, both from their wheels."""
    copied = tmp_path_factory.mktemp("source") / "project"
    shutil.copytree(PROJECT, copied)
    clean_place.install(build_wheel(copied))
    return clean_place


def test_its_own_tests_pass(place, tmp_path):
    shutil.copytree(PROJECT / "tests", tmp_path / "tests")
    done = place.run("python", "-m", "pytest", "-q", "-W", "error", "tests", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


@pytest.mark.extended
def test_it_is_generated_and_trained_by_groups_and_a_server(place, tmp_path):
    windows = "generate.windows={train: 256, val: 64, test: 400}"
    made = place.run("baryon", "data", "generate", "dataset=gw_strain", windows, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    hybrid = ["comm=hybrid", "comm.groups=2", "comm.servers=1", "run.name=gw"]
    done = place.run(
        "baryon", "launch", "ranks=3", "train", "experiment=gw_demo", *hybrid, *SMALL,
        folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "gw"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["efficiency_matched_filter"] > 0.5
    assert metrics["efficiency"] <= metrics["efficiency_matched_filter"]
    assert "of the chirps at one false alarm in 20 s (matched filter: " in done.stdout
    assert (run / "figures" / "efficiency.png").stat().st_size > 10_000
    steps = {
        json.loads(line).get("step") for line in (run / "metrics.jsonl").read_text().splitlines()
    }
    assert max(step for step in steps if step is not None) == 8
