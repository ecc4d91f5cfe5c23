"""Read what a run has left in its folder, as far as it goes: reports are made of this alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError
from baryon.plugins.registry import KINDS
from baryon.runs import metrics_log, stored_evaluation
from baryon.runs import provenance as provenance_file
from baryon.runs.directory import RunDirectory
from baryon.runs.metrics_log import LogLine
from baryon.runs.provenance import Provenance
from baryon.runs.run_state import run_state
from baryon.runs.stored_evaluation import StoredEvaluation
from baryon.system.plain_data import (
    Shape,
    fits,
    inside,
    is_text,
    read_bytes,
    read_json,
    read_yaml,
)
from baryon.terminal.credentials import without_credentials

LARGEST_FIGURE = 32 * 2**20
"""Bytes of a figure that a report takes in."""
PNG = b"\x89PNG\r\n\x1a\n"

REPRODUCTION: Shape = {
    "verdict": is_text, "equal": lambda flag: isinstance(flag, bool), "surroundings?": [is_text],
}  # fmt: skip

Problems = list[str]
"""One line for each thing that should be in the folder and is missing or damaged."""


@dataclass(frozen=True)
class SavedFigure:
    """A figure as PNG file, and what it shows."""

    path: Path
    caption: str


@dataclass(frozen=True)
class Reproduction:
    """The result of `baryon reproduce`, from `reproduction.json`.

    Attributes
    ----------
    verdict : the result in one line
    equal : whether the run may be called reproduced
    surroundings : a line for each version, machine or data that was different

    """

    verdict: str
    equal: bool
    surroundings: Sequence[str] = ()


@dataclass(frozen=True)
class RunRecord:
    """A run as its folder tells it.

    Attributes
    ----------
    directory : paths of the folder
    state : one of the states of `baryon.runs.run_state`
    config : the frozen config as plain values; empty if it cannot be read
    provenance : what the run ran on
    log : all sound lines of `metrics.jsonl`
    evaluation : the answer of the final evaluation
    figures : saved figures that the evaluation names
    later_evaluations : answers of later evaluations by the names of their folders
    reproductions : results of making the run again by the names of their folders
    problems : a line for each thing that should be there and is missing or damaged

    """

    directory: RunDirectory
    state: str
    config: Mapping[str, Any]
    provenance: Provenance
    log: Sequence[LogLine]
    evaluation: StoredEvaluation
    figures: Sequence[SavedFigure] = ()
    later_evaluations: Mapping[str, StoredEvaluation] = field(default_factory=dict)
    reproductions: Mapping[str, Reproduction] = field(default_factory=dict)
    problems: Sequence[str] = ()

    @property
    def is_evaluated(self) -> bool:
        """Whether there is an answer."""
        return bool(self.evaluation.summary or self.evaluation.metrics)

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return self.directory.path.name

    @property
    def seconds(self) -> float | None:
        """Wall-clock time up to the last line of the log; None without such a line."""
        return next((line["seconds"] for line in reversed(self.log) if "seconds" in line), None)

    @property
    def early_stop(self) -> str:
        """Say when and why the run ended before its last step; empty if it did not."""
        line = self.last("early_stop")
        if line is None:
            return ""
        return (
            f"stopped early at step {line['step']} of {line['planned_steps']}: no improvement of "
            f"the validation loss in {line['validations']} validations"
        )

    def lines(self, kind: str) -> list[LogLine]:
        """Return the lines of the log that are of one kind."""
        return [line for line in self.log if line.get("kind") == kind]

    def last(self, kind: str) -> LogLine | None:
        """Return the last line of a kind, None if there is none."""
        return next((line for line in reversed(self.log) if line.get("kind") == kind), None)


def read(
    directory: RunDirectory,
    *,
    config: Mapping[str, Any] | None = None,
    finished: bool | None = None,
) -> RunRecord:
    """Read a run's folder; what is missing or damaged there becomes a line of `problems`.

    Parameters
    ----------
    directory
        Folder of the run.
    config
        The frozen config, where it need not be read.
    finished
        Whether the run has come to its end, where the folder cannot tell it yet.

    Raises
    ------
    BaryonError
        If the folder holds no run, or one of a newer Baryon.

    """
    _require_run(directory, config)
    is_finished = directory.finished if finished is None else finished
    values, config_problems = _read_config(directory) if config is None else (config, [])
    provenance, provenance_problems = _read_provenance(directory)
    log, log_problems = _read_log(directory)
    evaluation, evaluation_problems = _read_evaluation(directory, is_finished=is_finished)
    figures, figure_problems = _read_figures(directory, evaluation)
    problems = config_problems + provenance_problems + log_problems
    problems += evaluation_problems + figure_problems
    return RunRecord(
        directory=directory,
        state=run_state(directory, provenance.process, log, finished=is_finished),
        config=values,
        provenance=provenance,
        log=log,
        evaluation=evaluation,
        figures=figures,
        later_evaluations=read_later_evaluations(directory),
        reproductions=_read_reproductions(directory),
        problems=problems,
    )


def _require_run(directory: RunDirectory, config: Mapping[str, Any] | None) -> None:
    if not directory.path.is_dir():
        raise BaryonError(f"run={directory.path} does not exist")
    known = (directory.config, directory.log, directory.metrics, directory.evaluation)
    if config is None and not any(path.is_file() for path in known):
        names = ", no ".join(path.name for path in known)
        raise BaryonError(f"run={directory.path} is not a run folder: it has no {names}")


def _read_config(directory: RunDirectory) -> tuple[Mapping[str, Any], Problems]:
    if not directory.config.is_file():
        return {}, [f"{directory.config.name}: its configuration is not known"]
    try:
        values = read_yaml(directory.config)
    except BaryonError as error:
        return {}, [str(error)]
    if not all(fits(values.get(kind), {"name?": is_text}) for kind in KINDS):
        return {}, [f"{directory.config.name}, which is not that of a run any more"]
    return without_credentials(values), []


def _read_provenance(directory: RunDirectory) -> tuple[Provenance, Problems]:
    path = directory.provenance
    if not path.is_file():
        return Provenance(), [f"{path.name}: what it ran on is not known"]
    try:
        values = without_credentials(read_json(path))
    except BaryonError as error:
        return Provenance(), [str(error)]
    provenance, damaged = provenance_file.parse(directory, values)
    return provenance, [f"{part} of {path.name}, which is damaged" for part in damaged]


def _read_log(directory: RunDirectory) -> tuple[Sequence[LogLine], Problems]:
    name = directory.log.name
    if not directory.log.is_file():
        # A later evaluation has no log: it trains nothing.
        is_later_evaluation = directory.path.parent.name == directory.evaluations.name
        return [], [] if is_later_evaluation else [f"{name}: there are no curves and no times"]
    try:
        lines, damaged = metrics_log.read(directory.log)
    except BaryonError as error:
        return [], [str(error)]
    return lines, [f"{damaged} lines of {name}, which are damaged"] if damaged else []


def _read_evaluation(
    directory: RunDirectory, *, is_finished: bool
) -> tuple[StoredEvaluation, Problems]:
    """Read the answer; of a finished run that has lost it, the figures of `metrics.json`."""
    if directory.evaluation.is_file():
        try:
            return stored_evaluation.read(directory)
        except BaryonError as error:
            return StoredEvaluation(), [str(error)]
    if not is_finished or not directory.metrics.is_file():
        return StoredEvaluation(), []
    try:
        metrics = without_credentials(read_json(directory.metrics))
    except BaryonError as error:
        return StoredEvaluation(), [str(error)]
    problem = f"{directory.evaluation.name}: of the answer only {directory.metrics.name} is there"
    return StoredEvaluation(metrics=metrics), [problem]


def _read_figures(
    directory: RunDirectory, evaluation: StoredEvaluation
) -> tuple[list[SavedFigure], Problems]:
    """Look for the figures that the evaluation names; if its file is gone, for all there are."""
    captions = evaluation.captions
    if not directory.evaluation.is_file():
        names = sorted(path.stem for path in directory.figures.glob("*.png"))
        captions = {name: name.replace("_", " ") for name in names}
    figures: list[SavedFigure] = []
    missing: list[str] = []
    problems: Problems = []
    for name, caption in captions.items():
        try:
            path = _require_png(directory, f"{name}.png")
        except BaryonError as error:
            problems.append(str(error))
            continue
        if path is None:
            missing.append(name)
        else:
            figures.append(SavedFigure(path, str(caption)))
    if missing:
        problems.append(f"{directory.figures.name}/: {', '.join(missing)}")
    return figures, problems


def _require_png(directory: RunDirectory, name: str) -> Path | None:
    """Return the path of a figure, None if it does not exist.

    Raises `BaryonError` for what must not get into a page: a path that leads out of the folder, a
    file of another kind, or one that is too large.
    """
    path = inside(inside(directory.path, directory.figures.name), name)
    if not path.is_file():
        return None
    if not read_bytes(path, LARGEST_FIGURE).startswith(PNG):
        raise BaryonError(f"{path} is not a PNG file")
    return path


def read_later_evaluations(directory: RunDirectory) -> dict[str, StoredEvaluation]:
    """Read the answers below `evaluations/` of a run or a sweep, by the names of their folders."""
    runs = map(RunDirectory, folders_in(directory.evaluations))
    return {
        run.path.name: _read_evaluation(run, is_finished=True)[0]
        for run in runs
        if run.evaluation.is_file()
    }


def _read_reproductions(directory: RunDirectory) -> dict[str, Reproduction]:
    reproductions = {}
    for folder in folders_in(directory.reproductions):
        try:
            values = without_credentials(read_json(RunDirectory(folder).reproduction))
        except BaryonError:
            continue  # it is still being made, or was interrupted
        if fits(values, REPRODUCTION):
            reproductions[folder.name] = Reproduction(
                values["verdict"], values["equal"], values.get("surroundings", ())
            )
    return reproductions


def folders_in(path: Path) -> list[Path]:
    """Return the folders in a folder, sorted by name.

    Links to folders are left out, and of a link or of something else there are none.
    """
    if path.is_symlink() or not path.is_dir():
        return []
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.is_symlink())
