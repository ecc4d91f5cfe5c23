"""A run's folder: made once, never shared, never overwritten when the run has finished.

runs/<name>/config.yaml      the frozen config
provenance.json     what it ran on: software, machine, git state, data, command
changes.patch    what the working directory had beside its last commit
metrics.jsonl    the log, a JSON object a line
checkpoints/     last.pt, best.pt
figures/         each as PNG and SVG
evaluation.json  the answer: summary, metrics, tables, captions
report.html      all of it on one page
tensorboard/     event files
metrics.json     the final figures; written last: it marks the run as finished
evaluations/     later ones, each a folder with the same file names
reproductions/   the run made again, each a run's folder with `reproduction.json`
runs/latest                  points to the newest
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.config.config import unique_name
from baryon.errors import BaryonError, cannot_write
from baryon.system.atomic import write_text
from baryon.system.plain_data import finite
from baryon.terminal.console import warn

if TYPE_CHECKING:
    from baryon.config.schemas import Run

OTHERS = ("exports", "predictions", "profile", "mlflow_run_id", "job.json", ".lock")
"""What else may be written into a run's folder."""
FORMAT = 1
"""Of what lies in a run's folder; goes up when a Baryon before it would misread it."""


class RunDirectory:
    """The paths of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.provenance = path / "provenance.json"
        self.patch = path / "changes.patch"
        self.log = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoints"
        self.figures = path / "figures"
        self.report = path / "report.html"
        self.evaluation = path / "evaluation.json"
        self.tensorboard = path / "tensorboard"
        self.metrics = path / "metrics.json"
        self.evaluations = path / "evaluations"
        self.reproductions = path / "reproductions"
        self.reproduction = path / "reproduction.json"

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.metrics.is_file()

    def require_no_links(self) -> None:
        """Raise `BaryonError` if one of its entries leads elsewhere: there nothing is written."""
        paths = {path for path in vars(self).values() if path != self.path}
        paths |= {self.path / name for name in OTHERS}
        for folder in (self.checkpoints, self.figures):
            paths |= set(folder.glob("*")) if not folder.is_symlink() else set()
        for path in sorted(paths):
            if path.is_symlink():
                raise BaryonError(
                    f"{path} is a link, which is not followed: put into the run's folder what it "
                    "leads to"
                )

    def require_unfinished(self) -> None:
        """Raise `BaryonError` for a run that has come to its end: nothing is written over it."""
        if self.finished:
            raise BaryonError(
                f"{self.path} has finished: start another with `baryon train`, or evaluate it "
                f"again with `baryon evaluate run={self.path}`"
            )

    def new_evaluation(self) -> RunDirectory:
        """A folder inside for a later evaluation, with the same file names."""
        return RunDirectory(_make(self.evaluations / unique_name()))


def reproduction(run: RunDirectory) -> Path:
    """Where the run is to be made again; the folder is not made yet."""
    return run.reproductions / unique_name()


def create(run: Run, label: str) -> RunDirectory:
    """A fresh folder in `run.root`, to which `runs/latest` then points.

    Raises `BaryonError` if a run of the name given exists, or the place is not writable.
    """
    path = Path(run.root).expanduser() / (run.name or f"{unique_name()}-{label}")
    if path.is_dir() and any(path.iterdir()):
        raise BaryonError(
            f"{path} exists already: go on with it by `baryon resume run={path}`, or choose "
            "another run.name"
        )
    directory = fill(path)
    _point_latest_to(path)
    return directory


def fill(path: Path) -> RunDirectory:
    """A folder with what a run needs in it. Raises `BaryonError` if it is not writable."""
    directory = RunDirectory(_make(path))
    directory.require_no_links()
    _make(directory.checkpoints)
    return directory


def _make(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BaryonError(cannot_write(path, error)) from error
    return path


def _point_latest_to(path: Path) -> None:
    """A symbolic link, replaced in one step; some file systems have none."""
    temporary = path.parent / f".latest-{os.getpid()}"
    try:
        temporary.symlink_to(path.name)
        temporary.replace(path.parent / "latest")
    except OSError as error:
        warn(f"{path.parent / 'latest'} could not be pointed to {path.name}: {error.strerror}")


def find(path: str) -> RunDirectory:
    """An existing run's folder. Raises `BaryonError` if there is none."""
    directory = RunDirectory(Path(path).resolve())
    if not directory.config.is_file():
        raise BaryonError(f"run={path} is not a run folder: it has no {directory.config.name}")
    directory.require_no_links()
    return directory


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Numbers that are not finite become null, which JSON can hold."""
    text = json.dumps(finite(values), indent=2, default=str)
    write_text(path, text + "\n")
