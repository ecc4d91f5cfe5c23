"""What a run has left in its folder, as far as it goes: reports are made of this alone."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError
from baryon.plugins.registry import KINDS
from baryon.runs import metrics_log
from baryon.runs.directory import FORMAT, RunDirectory
from baryon.runs.metrics_log import Record
from baryon.system.plain_data import (
    Shape,
    fits,
    inside,
    is_count,
    is_finite,
    is_mapping,
    is_text,
    optional,
    read_bytes,
    read_json,
    read_yaml,
)
from baryon.terminal.credentials import without_credentials

FINISHED, GOING, STOPPED, BROKEN_OFF = "finished", "going on", "stopped", "broken off"

NO_ANSWER: Mapping[str, Any] = {
    "split": "", "summary": "", "metrics": {}, "warnings": [], "tables": {}, "captions": {},
    "of_communication": [], "judged_by": [],
}  # fmt: skip
"""What `evaluation.json` holds, empty."""

RANK: Shape = {"host": is_text, "threads": is_count}
GIT: Shape = {
    "commit": is_text, "branch": is_text, "changes": optional(is_text), "patch_bytes": is_count,
    "untracked": is_count,
}  # fmt: skip
PROVENANCE_SHAPES: Mapping[str, Shape] = {
    "started": is_text, "command": [is_text], "data": is_mapping, "git": optional(GIT),
    "plugins": is_mapping, "libraries": is_mapping, "machine": is_mapping, "ranks": [RANK],
    "environment": is_mapping, "packages": is_mapping, "folder": is_text,
    "process": {
        "host?": is_text, "pid?": is_count, "began?": optional(is_text), "started?": is_finite,
    },
    "resumed": [{"at": is_text, "command": [is_text]}],
}  # fmt: skip

LARGEST_PICTURE = 32 * 2**20
"""Bytes of a figure that a report takes in."""
PNG = b"\x89PNG\r\n\x1a\n"

SILENT_SECONDS = 600.0
"""After so long without a line of its log a run on another host counts as broken off."""


@dataclass(frozen=True)
class Picture:
    """A figure that was saved, and what it shows."""

    path: Path
    caption: str


@dataclass(frozen=True)
class RunRecord:
    """A run as its folder tells it."""

    directory: RunDirectory
    state: str
    config: Mapping[str, Any]
    provenance: Mapping[str, Any]
    """What it ran on."""
    log: Sequence[Record]
    answer: Mapping[str, Any]
    """`evaluation.json`, with every key of `NO_ANSWER`."""
    pictures: Sequence[Picture] = ()
    later: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Answers of later evaluations by the name of their folder."""
    again: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What came of making it again, by the name of the folder."""
    missing: Sequence[str] = ()
    """One line for each thing that ought to be there and is not."""

    @property
    def answered(self) -> bool:
        """Whether it was evaluated."""
        return bool(self.answer["summary"] or self.answer["metrics"])

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.directory.path.name

    def lines(self, kind: str) -> list[Record]:
        """Of the log, of one kind."""
        return [record for record in self.log if record.get("kind") == kind]

    @property
    def seconds(self) -> float | None:
        """Wall clock as far as the log tells it."""
        return next((one["seconds"] for one in reversed(self.log) if "seconds" in one), None)

    def last(self, kind: str) -> Record | None:
        """The last line of a kind."""
        return next((one for one in reversed(self.log) if one.get("kind") == kind), None)


def read(
    directory: RunDirectory,
    *,
    config: Mapping[str, Any] | None = None,
    finished: bool | None = None,
) -> RunRecord:
    """Read what is there. `config` and `finished` where the folder cannot tell them yet.

    Raises `BaryonError` if the folder holds no run, or one of a newer Baryon.
    """
    path = directory.path
    if not path.is_dir():
        raise BaryonError(f"run={path} does not exist")
    known = (directory.config, directory.log, directory.metrics, directory.evaluation)
    if config is None and not any(one.is_file() for one in known):
        raise BaryonError(
            f"run={path} is not a run folder: it has no {', no '.join(one.name for one in known)}"
        )
    missing: list[str] = []
    provenance = _provenance(directory, missing)
    log = _log(directory, missing)
    done = directory.finished if finished is None else finished
    answer = _answer(directory, missing, done=done)
    return RunRecord(
        directory=directory,
        state=FINISHED if done else _state(directory, provenance, log),
        config=config if config is not None else _config(directory, missing),
        provenance=provenance,
        log=log,
        answer=answer,
        pictures=_pictures(directory, answer, missing),
        later=_later(directory),
        again=_again(directory),
        missing=missing,
    )


def _provenance(directory: RunDirectory, missing: list[str]) -> dict[str, Any]:
    provenance = _json(directory.provenance, missing)
    if provenance is None:
        missing.append(f"{directory.provenance.name}: what it ran on is not known")
        return {}
    for key, shape in PROVENANCE_SHAPES.items():
        if key in provenance and not fits(provenance[key], shape):
            missing.append(f"{key} of {directory.provenance.name}, which is damaged")
            del provenance[key]
    require_known_format(directory, provenance)
    return provenance


def require_known_format(directory: RunDirectory, provenance: Mapping[str, Any]) -> None:
    """Raise `BaryonError` for a folder that only a newer Baryon can read."""
    written = provenance.get("format", 0)
    if not is_count(written):
        raise BaryonError(f"{directory.provenance} is damaged: its format is no number")
    if written > FORMAT:
        raise BaryonError(
            f"{directory.path} has run format {written}, written by baryon "
            f"{provenance.get('baryon', '?')}; this one reads formats up to {FORMAT}: install that "
            "version"
        )


def _log(directory: RunDirectory, missing: list[str]) -> list[Record]:
    if not directory.log.is_file():
        if directory.config.parent.parent.name != "evaluations":
            missing.append(f"{directory.log.name}: there are no curves and no times")
        return []
    try:
        records, damaged = metrics_log.read(directory.log)
    except BaryonError as error:
        missing.append(str(error))
        return []
    if damaged:
        missing.append(f"{damaged} lines of {directory.log.name}, which are damaged")
    return records


def _answer(directory: RunDirectory, missing: list[str], *, done: bool) -> Mapping[str, Any]:
    """With every key of `NO_ANSWER`, whatever is there."""
    found = _json(directory.evaluation, missing)
    if found is None:
        metrics = _json(directory.metrics, missing)
        if done and metrics is not None:
            missing.append(
                f"{directory.evaluation.name}: of the answer only {directory.metrics.name} is there"
            )
        return {**NO_ANSWER, "metrics": metrics or {}}
    found["tables"] = _tables(found.get("tables"), missing)
    wrong = [
        k for k, empty in NO_ANSWER.items() if not isinstance(found.get(k, empty), type(empty))
    ]
    if wrong:
        missing.append(f"{', '.join(wrong)} of {directory.evaluation.name}, which is damaged")
    return {**NO_ANSWER, **{k: v for k, v in found.items() if k in NO_ANSWER and k not in wrong}}


def _tables(found: Any, missing: list[str]) -> Any:
    """Those with columns and rows that suit them."""
    if not isinstance(found, dict):
        return found if found is not None else {}
    whole = {name: table for name, table in found.items() if _is_table(table)}
    missing += [f"table {name}, which is damaged" for name in found if name not in whole]
    return whole


def _is_table(table: Any) -> bool:
    if not isinstance(table, dict) or not {"columns", "rows"} <= table.keys():
        return False
    columns, rows = table["columns"], table["rows"]
    lists = isinstance(columns, list) and isinstance(rows, list)
    return lists and all(isinstance(row, list) and len(row) == len(columns) for row in rows)


def _config(directory: RunDirectory, missing: list[str]) -> Mapping[str, Any]:
    if not directory.config.is_file():
        missing.append(f"{directory.config.name}: its configuration is not known")
        return {}
    try:
        values = read_yaml(directory.config)
    except BaryonError as error:
        missing.append(str(error))
        return {}
    if not all(fits(values.get(kind), {"name?": is_text}) for kind in KINDS):
        missing.append(f"{directory.config.name}, which is not that of a run any more")
        return {}
    return without_credentials(values)


def _json(path: Path, missing: list[str]) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        return without_credentials(read_json(path))
    except BaryonError as error:
        missing.append(str(error))
        return None


def _pictures(
    directory: RunDirectory, answer: Mapping[str, Any], missing: list[str]
) -> list[Picture]:
    """Those that the answer names; of an older run all that lie there."""
    captions = answer["captions"]
    if not directory.evaluation.is_file():
        names = sorted(path.stem for path in directory.figures.glob("*.png"))
        captions = {name: name.replace("_", " ") for name in names}
    pictures, gone = [], []
    for name, caption in captions.items():
        try:
            path = _png(directory, f"{name}.png")
        except BaryonError as error:
            missing.append(str(error))
            continue
        if path is None:
            gone.append(name)
        else:
            pictures.append(Picture(path, str(caption)))
    if gone:
        missing.append(f"figures/: {', '.join(gone)}")
    return pictures


def _png(directory: RunDirectory, name: str) -> Path | None:
    """None if it is not there. Raises `BaryonError` for what must not get into a page."""
    path = inside(inside(directory.path, directory.figures.name), name)
    if not path.is_file():
        return None
    if not read_bytes(path, LARGEST_PICTURE).startswith(PNG):
        raise BaryonError(f"{path} is no PNG")
    return path


def _later(directory: RunDirectory) -> dict[str, Mapping[str, Any]]:
    there = map(RunDirectory, folders_in(directory.evaluations))
    return {run.path.name: _answer(run, [], done=True) for run in there if run.evaluation.is_file()}


def _again(directory: RunDirectory) -> dict[str, Mapping[str, Any]]:
    shape = {"verdict": is_text, "surroundings?": [is_text], "equal": lambda _: True}
    folders = folders_in(directory.reproductions)
    found = {folder.name: _json(RunDirectory(folder).reproduction, []) for folder in folders}
    return {name: one for name, one in found.items() if one and fits(one, shape)}


def folders_in(path: Path) -> list[Path]:
    """The folders in a folder, by name; links are left out, and a link has none."""
    if path.is_symlink() or not path.is_dir():
        return []
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.is_symlink())


def _state(directory: RunDirectory, provenance: Mapping[str, Any], log: Sequence[Record]) -> str:
    """Of a run that has not finished: whether its process lives, as well as it can be known."""
    process = provenance.get("process") or {}
    touched = directory.log.stat().st_mtime if directory.log.is_file() else None
    stopped = bool(log) and log[-1].get("kind") == "stopped"
    if stopped and touched is not None and touched >= process.get("started", 0.0):
        return STOPPED
    if process.get("host") == socket.gethostname():
        return GOING if process_began(process.get("pid", 0)) == process.get("began") else BROKEN_OFF
    begun = touched if touched is not None else process.get("started", 0.0)
    return GOING if time.time() - begun < SILENT_SECONDS else BROKEN_OFF


def process_began(pid: int) -> str | None:
    """When a process of this host began, to know it from a later one of its number.

    None if there is none; "" where the system does not tell when.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").is_file():
        return None
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return None
    return ""
