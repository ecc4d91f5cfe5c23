"""The folder of a run, and that of a sweep: what reports and the commands on runs read."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure
from outcomes import Kind

from baryon.commands import reproduce
from baryon.config import frozen_file
from baryon.config.compose import composed
from baryon.errors import BaryonError
from baryon.plugins.registry import discover
from baryon.report.page import comparison_page, run_page, sweep_page
from baryon.runs import provenance, sweep_file, sweep_record
from baryon.runs import record as run_record
from baryon.runs.directory import FORMAT, RunDirectory, find
from baryon.sweeps import continuation, job_status

CHOICES = ("dataset=hep_images", "model=hep_cnn", "dataset.train=train.h5", "comm=sync")
RATE = {"samples_per_second": 640.0, "tflops_per_second": 0.017, "mfu": 0.2}
PROVENANCE = {
    "format": FORMAT, "started": "2026-11-24T10:00:00+00:00", "command": ["baryon", "train"],
    "folder": "/home/somebody", "seed": 1, "config": "0123456789ab", "baryon": "0.1.0",
    "changed": {"dataset.train": "???"}, "data": {"train": "36a8a258866a1c2a"},
    "git": {
        "commit": "1" * 40, "branch": "main", "changes": None, "patch_bytes": 0, "untracked": 1,
    },
    "python": "3.11.7", "plugins": {"hep": "baryon 0.1.0"}, "libraries": {"torch": "2.13.0"},
    "machine": {"host": "node1", "cores": 2, "memory_gib": 23.5, "gpus": []},
    "ranks": [{"host": "node1", "threads": 1, "gpus": []}] * 2, "environment": {},
    "packages": {"torch": "2.13.0"}, "resumed": [{"at": "2026-11-24", "command": ["baryon"]}],
    "process": {"host": "elsewhere", "pid": 1, "began": "1", "started": 0.0},
}  # fmt: skip
ANSWER = {
    "split": "test", "summary": "area 0.95", "metrics": {"auc": 0.95}, "warnings": ["few events"],
    "tables": {"result": {"columns": ["selection", "share"], "rows": [["cuts", "46%"]]}},
    "captions": {"roc": "ROC curve"}, "of_communication": ["workers"],
}  # fmt: skip


def _log() -> list[dict]:
    lines: list[dict] = [
        {
            "kind": "execution", "step": 0, "epoch": 1, "seconds": 0.5, "precision": "fp32",
            "mode": "eager", "why": "as configured", "total_steps": 4, "channels_last": True,
        }
    ]  # fmt: skip
    for step in range(1, 5):
        where = {"step": step, "epoch": 1, "seconds": 0.5 + step, "loss": 1 / step}
        measured = {"ms": {"input": 1.0, "forward": 3.0}, "comm": {"staleness": 1.0}}
        lines += [{"kind": "train", **where, **RATE, **measured}, {"kind": "validation", **where}]
    meters = {
        "kind": "meters", "step": 4, "epoch": 1, "seconds": 5.0, "wall_seconds": 5.0,
        "lost_seconds": 0.0, "goodput": 0.6, "sustained_steps": 4, "gflop_per_sample": 0.03,
        "peak_tflops_per_second": 0.08, "phase_seconds": {"input": 1.0, "forward": 3.0},
        "rates": {"peak": RATE, "sustained": RATE, "whole run": RATE},
        "gflop_by_layer": {"conv1": 0.02},
    }  # fmt: skip
    return [*lines, meters]


def write_run(folder: Path) -> Sequence[Path]:
    """Write a finished run with one figure, as the job of a sweep of one."""
    run = RunDirectory(folder / "0-job")
    run.figures.mkdir(parents=True)
    frozen_file.write(composed(CHOICES, discover()), run.config)
    for path, values in (
        (run.provenance, PROVENANCE),
        (run.evaluation, ANSWER),
        (run.metrics, ANSWER["metrics"]),
        (
            run.path / job_status.NAME,
            {"state": "finished", "error": None, "seconds": 1.0, "batch_job": None},
        ),
        (folder / sweep_file.NAME, _sweep()),
    ):
        path.write_text(json.dumps(values, indent=1))
    run.log.write_text("".join(json.dumps(line) + "\n" for line in _log()))
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, 1])
    figure.savefig(run.figures / "roc.png", dpi=30)
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(files)


def _sweep() -> dict:
    job = {
        "id": "0123456789ab", "number": 0, "run": "0-job", "choices": {"seed": 1},
        "state": "finished", "error": None, "value": 0.95, "seconds": 5.0,
    }  # fmt: skip
    return {
        "format": 1, "version": "0.1.0", "plugins": {}, "name": "job",
        "command": ["baryon", "train", "-m"],
        "swept": ["seed"], "metric": "auc", "direction": "maximize",
        "started": "2026-11-24T10:00:00+0000", "jobs": [job],
    }  # fmt: skip


def read_run(folder: Path) -> str:
    """SHA-256 over what a report of the run tells, after all that reads it has had its turn.

    Each of them may refuse the run in one line; the report itself comes last.
    """
    run = RunDirectory(folder / "0-job")
    job_status.read(run.path)
    plugins = discover()
    for reading in (
        lambda: frozen_file.read(find(str(run.path)).config, asked={}),
        lambda: provenance.read(run),
        lambda: reproduce._config(run, plugins),
        lambda: continuation.read_or_new(folder, plugins),
        lambda: sweep_page.page(sweep_record.read(folder), folder),
        lambda: comparison_page.page([run_record.read(run)] * 2, folder),
    ):
        try:
            reading()
        except BaryonError as error:
            assert len(str(error).splitlines()) == 1, error  # noqa: PT017
    read = run_record.read(run)
    run_page.page(read).encode()
    parts = [read.state, read.config, asdict(read.provenance), read.log, asdict(read.evaluation)]
    text = json.dumps([*parts, len(read.figures), read.problems])
    return hashlib.sha256(text.encode()).hexdigest()


KINDS = [Kind("run folder", write_run, read_run)]
