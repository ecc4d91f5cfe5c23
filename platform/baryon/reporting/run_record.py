"""What a run has left in its folder, as far as it goes: reports are made of this alone."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError, told
from baryon.plugins import KINDS
from baryon.reporting.metrics_log import Record
from baryon.reporting.run_directory import FORMAT, RunDirectory

FINISHED, GOING, STOPPED, BROKEN_OFF = "finished", "going on", "stopped", "broken off"

NO_ANSWER: Mapping[str, Any] = {
    "split": "", "summary": "", "metrics": {}, "warnings": [], "tables": {}, "captions": {},
    "of_communication": [],
}  # fmt: skip
"""What `evaluation.json` holds, empty."""

PARTS_OF_A_LINE: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "train": (
        ("step", "epoch", "seconds", "loss", "samples_per_second", "tflops_per_second",
         "of_ceiling"), (),
    ),
    "validation": (("step", "seconds", "loss"), ()),
    "meters": (
        ("wall_seconds", "lost_seconds", "goodput", "sustained_steps", "gflop_per_sample",
         "ceiling_tflops_per_second"), ("rates", "phase_seconds", "gflop_by_layer"),
    ),
}  # fmt: skip
"""Numbers, and others, that a line of each kind must have to be shown."""

PARTS_OF_A_CAPSULE: Mapping[str, type] = {
    "command": list, "data": dict, "plugins": dict, "libraries": dict, "machine": dict,
    "ranks": list, "environment": dict, "packages": dict, "process": dict, "resumed": list,
}  # fmt: skip

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
    capsule: Mapping[str, Any]
    """What it ran on; of runs before there were capsules the versions alone."""
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
            f"run={path} is no run: it has no {', no '.join(one.name for one in known)}"
        )
    missing: list[str] = []
    capsule = _capsule(directory, missing)
    log = _log(directory, missing)
    done = directory.finished if finished is None else finished
    answer = _answer(directory, missing, done=done)
    return RunRecord(
        directory=directory,
        state=FINISHED if done else _state(directory, capsule, log),
        config=config if config is not None else _config(directory, missing),
        capsule=capsule,
        log=log,
        answer=answer,
        pictures=_pictures(directory, answer, missing),
        later=_later(directory),
        again=_again(directory),
        missing=missing,
    )


def _capsule(directory: RunDirectory, missing: list[str]) -> dict[str, Any]:
    capsule = _json(directory.capsule, missing)
    if capsule is None:
        versions = directory.path / "versions.json"  # of a run before there were capsules
        capsule = _json(versions, missing) if versions.is_file() else None
        if capsule is None:
            missing.append(f"{directory.capsule.name}: what it ran on is not known")
            return {}
        missing.append(
            "a capsule: an older Baryon made this run, which noted versions and machine alone"
        )
    for key, kind in PARTS_OF_A_CAPSULE.items():
        if not isinstance(capsule.get(key, kind()), kind):
            missing.append(f"{key} of {directory.capsule.name}, which is damaged")
            del capsule[key]
    written = capsule.get("format", 0)
    if not isinstance(written, int) or written > FORMAT:
        raise BaryonError(newer(directory, capsule))
    return capsule


def newer(directory: RunDirectory, capsule: Mapping[str, Any]) -> str:
    """One line about a folder that only a newer Baryon can read."""
    return (
        f"{directory.path} has run format {capsule['format']}, written by baryon "
        f"{capsule.get('baryon', '?')}; this one reads formats up to {FORMAT}: install that version"
    )


def _log(directory: RunDirectory, missing: list[str]) -> list[Record]:
    if not directory.log.is_file():
        if directory.config.parent.parent.name != "evaluations":
            missing.append(f"{directory.log.name}: there are no curves and no times")
        return []
    try:
        text = directory.log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        missing.append(f"{directory.log.name} cannot be read ({told(error)})")
        return []
    lines = [_line(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    damaged = lines.count(None)  # the last may just be written: it does not count
    if damaged:
        missing.append(f"{damaged} lines of {directory.log.name}, which are damaged")
    return [line for line in lines if line is not None]


def _line(text: str) -> Record | None:
    """None for what no run has written."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
        return None
    numbers, others = PARTS_OF_A_LINE.get(found["kind"], ((), ()))
    whole = all(isinstance(found.get(key), int | float) for key in numbers)
    return found if whole and all(key in found for key in others) else None


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
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    if not directory.config.is_file():
        missing.append(f"{directory.config.name}: its configuration is not known")
        return {}
    try:
        values: Any = OmegaConf.to_container(OmegaConf.load(directory.config))
    except (OmegaConfBaseException, YAMLError, TypeError, ValueError, OSError) as error:
        missing.append(f"{directory.config.name} cannot be read ({told(error)})")
        return {}
    if not isinstance(values, dict) or not all(isinstance(values.get(k), dict) for k in KINDS):
        missing.append(f"{directory.config.name}, which is not that of a run any more")
        return {}
    return values


def _json(path: Path, missing: list[str]) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        missing.append(f"{path.name} cannot be read ({told(error)})")
        return None
    if not isinstance(found, dict):
        missing.append(f"{path.name} holds no mapping")
        return None
    return found


def _pictures(
    directory: RunDirectory, answer: Mapping[str, Any], missing: list[str]
) -> list[Picture]:
    """Those that the answer names; of an older run all that lie there."""
    captions = answer["captions"]
    if not directory.evaluation.is_file():
        there = sorted(directory.figures.glob("*.png"))
        return [Picture(path, path.stem.replace("_", " ")) for path in there]
    named = [Picture(directory.figures / f"{n}.png", text) for n, text in captions.items()]
    gone = [picture.path.stem for picture in named if not picture.path.is_file()]
    if gone:
        missing.append(f"figures/: {', '.join(gone)}")
    return [picture for picture in named if picture.path.is_file()]


def _later(directory: RunDirectory) -> dict[str, Mapping[str, Any]]:
    folders = sorted(directory.evaluations.glob("*"))
    there = [one for one in folders if RunDirectory(one).evaluation.is_file()]
    return {one.name: _answer(RunDirectory(one), [], done=True) for one in there}


def _again(directory: RunDirectory) -> dict[str, Mapping[str, Any]]:
    folders = sorted(directory.reproductions.glob("*"))
    found = {one.name: _json(RunDirectory(one).reproduction, []) for one in folders}
    return {name: one for name, one in found.items() if one and {"verdict", "equal"} <= one.keys()}


def _state(directory: RunDirectory, capsule: Mapping[str, Any], log: Sequence[Record]) -> str:
    """Of a run that has not finished: whether its process lives, as well as it can be known."""
    process = capsule.get("process") or {}
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
