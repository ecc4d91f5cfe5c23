"""Folders of runs and sweeps written by hand, and pages in a real browser."""

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from baryon.plugins.registry import host_conf
from baryon.runs.directory import FORMAT
from baryon.runs.provenance import process_began

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

HOST = OmegaConf.to_container(OmegaConf.load(host_conf() / "config.yaml"))
TRAIN = OmegaConf.to_container(OmegaConf.load(host_conf() / "train" / "default.yaml"))
CONFIG = {
    "seed": 1,
    "train": TRAIN | {"epochs": 2, "batch_size": 16, "learning_rate": 0.003},
    "run": HOST["run"],
    "data": HOST["data"],
    "dataset": {"name": "hep_images", "train": "<b>train</b>.h5"},
    "model": {"name": "hep_cnn", "filters": 8},
    "loss": {"name": "hep_cross_entropy"},
    "comm": {"name": "hybrid", "groups": 2},
    "evaluator": {"name": "hep_roc"},
}
RATES = {"samples_per_second": 640.0, "tflops_per_second": 0.017, "of_ceiling": 0.2}
PHASES = {"start": 2.0, "input": 1.0, "forward": 3.0, "backward": 4.0, "communication": 1.5}
CAPSULE = {
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
            "sustained_steps": 20, "ceiling_tflops_per_second": 0.08, "gflop_per_sample": 0.03,
            "gflop_by_layer": {"conv1": 0.02, "fc": 0.01}, "wall_seconds": 11.5,
            "phase_seconds": PHASES, "lost_seconds": 0.0, "goodput": 0.6,
        }
    )  # fmt: skip
    return found


@pytest.fixture(scope="session")
def write_run() -> Callable[..., Path]:
    """Write the folder of a run; `config` are dotted keys of it that differ from `CONFIG`."""

    def write(
        path: Path, *, finished=True, steps=40, slope=0.05, config=None, capsule=None, log=None
    ) -> Path:
        (path / "figures").mkdir(parents=True)
        changed = OmegaConf.create(CONFIG)
        for key, value in (config or {}).items():
            OmegaConf.update(changed, key, value)
        (path / "config.yaml").write_text(OmegaConf.to_yaml(changed))
        (path / "capsule.json").write_text(json.dumps(CAPSULE | (capsule or {})))
        records = lines(steps, slope) if log is None else log
        (path / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
        if finished:
            figure = Figure(figsize=(5, 4), layout="constrained")
            figure.subplots().plot([0, 1], [0, 1])
            for name in EVALUATION["captions"]:
                figure.savefig(path / "figures" / f"{name}.png")
            answer = EVALUATION | {"metrics": {"auc": round(0.9 + slope / 2, 4), "auc_error": 0.01}}
            (path / "evaluation.json").write_text(json.dumps(answer))
            (path / "metrics.json").write_text(json.dumps(answer["metrics"]))
        return path

    return write


@pytest.fixture(scope="session")
def going() -> dict:
    """Part of a capsule whose process lives: this one."""
    pid, host = os.getpid(), os.uname().nodename
    return {"process": {"host": host, "pid": pid, "began": process_began(pid), "started": 0.0}}


@pytest.fixture(scope="session")
def write_sweep(write_run) -> Callable[[Path], Path]:
    """Write the folder of a sweep: four finished jobs, one that failed, one that waits."""

    def write(path: Path, *, named: bool = True) -> Path:
        jobs = []
        for number in range(6):
            rate, kind = (1e-4, 1e-3, 1e-2)[number % 3], ("adam", "sgd")[number // 3]
            choices = {"train.learning_rate": rate, "train.optimizer": kind}
            ran = number < 4
            if ran:
                write_run(path / str(number), slope=0.01 * (number + 1), config=choices)
            jobs.append(
                {
                    "id": f"j{number}", "number": number,
                    "run": str(number), "choices": choices,
                    "state": "finished" if ran else ("failed", "waiting")[number - 4],
                    "error": "step 3: the loss is NaN" if number == 4 else None,
                    "value": 0.9 + 0.005 * (number + 1) if ran else None,
                    "seconds": 12.0 if ran else None,
                }
            )  # fmt: skip
        if named:
            sweep = {
                "format": 1, "version": "0.1.0", "plugins": {}, "name": "rates",
                "command": ["baryon", "train", "-m"],
                "swept": ["train.learning_rate", "train.optimizer"], "metric": "auc",
                "direction": "maximize", "started": "2026-11-24T10:00:00+00:00", "jobs": jobs,
            }  # fmt: skip
            (path / "sweep.json").write_text(json.dumps(sweep))
        return path

    return write


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """Headless Chromium."""
    browser = os.environ.get("BARYON_BROWSER") or next(
        filter(None, map(shutil.which, BROWSERS)), ""
    )
    if not browser:
        pytest.skip("no Chromium here: install it, or name one in BARYON_BROWSER")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(chromium) -> Iterator[Callable]:
    """Open an address; the page knows what went wrong in it (`complaints`) and its `requests`."""
    contexts = []

    def open_page(address: str, **options):
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.complaints, page.requests = [], []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
