"""The folder of a run: made once, never shared, never overwritten when the run has finished."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.errors import BaryonError, cannot_write
from baryon.system.atomic import write_text
from baryon.system.locks import NAME as LOCK
from baryon.system.plain_data import finite
from baryon.terminal.console import warn

if TYPE_CHECKING:
    from baryon.config.schemas import Run

FORMAT = 1
"""Version of what lies in a run's folder; it goes up when an older Baryon would misread it."""
FURTHER_ENTRIES = (
    *("exports", "predictions", "profile", "mlflow_run_id", "wandb", "wandb_run_id", "job.json"),
    LOCK,
)
"""What else may be written into a run's folder."""


@dataclass(frozen=True)
class _Entry:
    """A file or folder with a fixed name in the folder of a run."""

    name: str

    def __get__(self, run: RunDirectory, owner: type[RunDirectory]) -> Path:
        return run.path / self.name


@dataclass(frozen=True)
class RunDirectory:
    """The paths of one run."""

    path: Path
    """`<run.root>/<name>`; `<run.root>/latest` points to the newest."""

    config = _Entry("config.yaml")
    """The frozen config."""
    provenance = _Entry("provenance.json")
    """What it ran on: software, machine, git state, data, command."""
    patch = _Entry("changes.patch")
    """What the working directory had beside its last commit."""
    log = _Entry("metrics.jsonl")
    """The log, a JSON object a line."""
    log_aside = _Entry("metrics-before-restart.jsonl")
    """Log of an attempt that came to no checkpoint, if there was one."""
    checkpoints = _Entry("checkpoints")
    """`last.pt`, `best.pt` and earlier ones."""
    figures = _Entry("figures")
    """Each as PNG and as SVG."""
    evaluation = _Entry("evaluation.json")
    """The answer: summary, metrics, tables, captions."""
    report = _Entry("report.html")
    """All of it on one page."""
    tensorboard = _Entry("tensorboard")
    """Event files."""
    metrics = _Entry("metrics.json")
    """The final metrics. It is written last: it marks the run as finished."""
    evaluations = _Entry("evaluations")
    """Later evaluations, each a folder with the same file names."""
    traceback = _Entry("traceback.txt")
    """Where in a plugin's code the run failed, if it did."""
    reproductions = _Entry("reproductions")
    """The run made again, each time in a run's folder with `reproduction.json`."""
    reproduction = _Entry("reproduction.json")
    """The result of a comparison with the run that was made again."""

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.metrics.is_file()

    def require_no_links(self) -> None:
        """Raise `BaryonError` if an entry of the folder is a link: what it leads to is not ours."""
        names = [entry.name for entry in vars(type(self)).values() if isinstance(entry, _Entry)]
        paths = {self.path / name for name in (*names, *FURTHER_ENTRIES)}
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

    def set_log_aside(self) -> None:
        """Move the log out of the way, for a run that starts from its beginning once more."""
        if self.log.is_file():
            with self.log_aside.open("ab") as file:  # there may have been several attempts
                file.write(self.log.read_bytes())
            self.log.unlink()

    def new_evaluation(self) -> RunDirectory:
        """Make a folder inside for a later evaluation, with the same file names."""
        return RunDirectory(_make(self.evaluations / unique_name()))

    def new_reproduction(self) -> Path:
        """Return a path inside for making the run again; the folder is not made yet."""
        return self.reproductions / unique_name()


def create(run: Run, label: str) -> RunDirectory:
    """Make the folder of a new run, and let `<run.root>/latest` point to it.

    Parameters
    ----------
    run
        The section `run` of the config: where runs lie, and the name if one was given.
    label
        What the name ends with if none was given, after date and time.

    Raises
    ------
    BaryonError
        If a run of that name exists, or the folder cannot be written.

    """
    path = Path(run.root).expanduser() / (run.name or f"{unique_name()}-{label}")
    if path.is_dir() and not _is_only_begun(path):
        raise BaryonError(
            f"{path} exists already: go on with it by `baryon resume run={path}`, or choose "
            "another run.name"
        )
    directory = fill(path)
    _point_latest_to(path)
    return directory


def _is_only_begun(path: Path) -> bool:
    """Return whether a folder is empty but for what `fill` and the lock leave there.

    A run that was killed before its config was written leaves such a folder, which it can neither
    go on from nor lose anything by.
    """
    directory = RunDirectory(path)
    names = {entry.name for entry in path.iterdir()}
    return names <= {directory.checkpoints.name, LOCK} and not any(directory.checkpoints.glob("*"))


def fill(path: Path) -> RunDirectory:
    """Make a folder with what a run needs in it.

    Raises `BaryonError` if it cannot be written, or an entry of it is a link.
    """
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
    """Replace the link `latest` in one step, so that it always leads to a run."""
    temporary = path.parent / f".latest-{os.getpid()}"
    try:
        temporary.symlink_to(path.name)
        temporary.replace(path.parent / "latest")
    except OSError as error:  # some file systems have no symbolic links: the run does without
        warn(f"{path.parent / 'latest'} could not be pointed to {path.name}: {error.strerror}")


def unique_name() -> str:
    """Return a name that no other folder has: date, time and four random letters."""
    # By time first, so that folders are listed in the order of their runs.
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def find(path: str) -> RunDirectory:
    """Return the folder of an existing run.

    Raises `BaryonError` if it holds no config, or an entry of it is a link.
    """
    # `latest` is resolved once: the next run would else move it while this one is read.
    directory = RunDirectory(Path(path).resolve())
    if not directory.config.is_file():
        raise BaryonError(f"run={path} is not a run folder: it has no {directory.config.name}")
    directory.require_no_links()
    return directory


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all, with null for numbers that are not finite."""
    # JSON has no NaN; browsers and other languages refuse the word that Python writes for it.
    text = json.dumps(finite(values), indent=2, default=str)
    write_text(path, text + "\n")
