"""The experiments run as a user runs them, alone and on several processes, on tiny frames."""

import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from baryon.cli import main

pytestmark = pytest.mark.slow
Runner = Callable[..., Path]

TINY = [
    "model.width=0.03",
    "train.epochs=1",
    "train.steps=3",
    "train.log_every_steps=1",
    "train.compile=never",
    "evaluator.bootstrap=2",
    "evaluator.example_maps=1",
    "dataset.train=1979-1980",
    "dataset.test=1981",
]


@pytest.fixture(scope="module")
def frames(tmp_path_factory, cache, generate_here) -> Path:
    """Three years of eight frames of 48 x 72, synthetic, some without labels."""
    folder = tmp_path_factory.mktemp("frames") / "years"
    generate_here(out=str(folder), years="1979-1981", frames=8, step_hours=None, height=48)
    return folder


@pytest.fixture
def train(baryon, frames, tmp_path, monkeypatch, cache) -> Runner:
    """Train, in this process or launched on some, and give the run's folder."""

    def run(*arguments: str, launch: int = 0) -> Path:
        given = [*TINY, f"dataset.folder={frames}", *arguments]
        if launch:
            done = baryon("launch", f"ranks={launch}", "train", *given, timeout=200)
            assert done.returncode == 0, done.stdout + done.stderr
        else:
            monkeypatch.chdir(tmp_path)
            monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
            with warnings.catch_warnings(action="ignore"):  # of so short a training
                assert main(["train", *given]) == 0
        return (tmp_path / "runs" / "latest").resolve()

    return run


def losses(run: Path) -> list[dict[str, float]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if line["kind"] == "train"]


def test_windows_train_and_are_answered_for(train):
    more = ("dataset.window=4", "dataset.anomalies=all", "dataset.mirror=true")
    run = train("experiment=climate_racah_3d", "model.cell=8", *more)
    metrics = json.loads((run / "metrics.json").read_text())
    assert {"mean_ap_10", "criteria_mean_ap_10", "csi_TC", "mean_ap_coco"} <= metrics.keys()
    terms = {"position", "size", "objectness", "class", "reconstruction"}
    (first, *_) = losses(run)
    assert terms <= first.keys()
    assert all(math.isfinite(first[name]) for name in terms)
    assert (run / "figures" / "maps.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", ["15pf", "racah", "racah_3d", "modern", "demo"])
def test_each_experiment_composes(name, capsys):
    assert main(["train", f"experiment=climate_{name}", "dataset.folder=x", "--cfg", "job"]) == 0
    assert "name: climate_boxes" in capsys.readouterr().out


NO_CRITERIA = ["evaluator.heuristic=null", "evaluator.example_maps=0"]
HALF = [
    *NO_CRITERIA,
    "dataset.labelled_share=0.4",
    "train.batch_size=4",
    "model.cell=8",
    "model=climate_15pf",
]


@pytest.mark.mpi
def test_ranks_with_unequal_labels_learn_as_one(train):
    """After three steps of plain gradient descent the weights are those of one process."""
    plain = ["dataset=climate_extreme_weather", "train.optimizer=sgd", "train.learning_rate=1e-3"]
    runs = []
    for ranks, comm in ((0, "serial"), (2, "sync")):
        run = train(*plain, *HALF, "train.momentum=0.9", f"comm={comm}", launch=ranks)
        state = torch.load(run / "checkpoints" / "last.pt", weights_only=False)
        runs.append((losses(run), state["model"]))
    for alone, shared in zip(*(logged for logged, _ in runs), strict=True):
        for name in ("loss", "position", "size", "objectness", "class", "reconstruction"):
            assert shared[name] == pytest.approx(alone[name], rel=2e-4), name
    for name, weight in runs[0][1].items():
        torch.testing.assert_close(runs[1][1][name], weight, rtol=1e-3, atol=1e-5)


@pytest.mark.mpi
@pytest.mark.extended
def test_groups_and_servers(train):
    """By hand also with 14 servers, one a layer, and with the other communicators."""
    options = ["comm=hybrid", "comm.groups=2", "comm.servers=1", "experiment=climate_modern"]
    run = train(*options, "model.cell=8", "train.batch_size=4", *NO_CRITERIA, launch=3)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["frames"] == 8
    assert losses(run)[-1]["step"] == 3
