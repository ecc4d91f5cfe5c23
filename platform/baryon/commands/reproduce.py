"""Train a run again, and say whether it is the same."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baryon.commands.arguments import Arguments
from baryon.config import frozen_file
from baryon.config.config import Config
from baryon.config.schemas import PRECISIONS
from baryon.errors import BaryonError
from baryon.launch.child_python import child_python
from baryon.launch.environment import cluster_environment
from baryon.launch.mpiexec import follow, launch_command, launch_environment
from baryon.plugins.registry import Plugins, checked_plugins, discover
from baryon.runs import directory as run_directory
from baryon.runs import provenance as provenance_file
from baryon.runs import reproduction
from baryon.runs.directory import RunDirectory
from baryon.runs.metrics_log import MetricsLog
from baryon.runs.provenance import Provenance
from baryon.system.plain_data import Shape, fits, is_count, is_text, optional, read_json
from baryon.terminal.console import say, speak, warn

MOST_LISTED = 100
"""Differences that `reproduction.json` lists."""
MOST_THREADS = 1024
PROCESSES_PER_CORE = 4
"""More than so many processes are not started here because a file says so."""
EXECUTION: Shape = {
    "precision": lambda word: word in PRECISIONS, "mode": is_text,
    "channels_last": lambda flag: isinstance(flag, bool), "micro_batch?": optional(is_count),
}  # fmt: skip
"""What the line `execution` of a log must hold to be computed with again."""


def run(arguments: Arguments) -> int:
    """Train, compare and say the verdict; the exit code is 0 for the same, 1 for something else."""
    original = run_directory.find(arguments["run"])
    if not original.finished:
        raise BaryonError(f"{original.path} has not finished: there is nothing to compare with yet")
    provenance = _provenance(original)
    folder = arguments["folder"]
    if arguments["into"] is not None:  # a process that was launched below
        _train(original, provenance, Path(arguments["into"]).absolute(), folder)
        return 0
    # Where the user's own launcher started the ranks, all of them come here.
    speak(aloud=cluster_environment().rank == 0)
    _outcome(original)  # fails before the training if it cannot be read
    changes = _warn_of_surroundings(provenance, folder)
    path = original.new_reproduction()
    ranks = len(provenance.ranks)
    if cluster_environment().ranks == 1 and ranks > 1:
        _launch(original, provenance, path, folder)
    else:
        _train(original, provenance, path, folder)
        if cluster_environment().rank:
            return 0
    tolerance = arguments["tolerance"]
    if tolerance is None:
        tolerance = reproduction.TOLERANCE
    return _compare(original, RunDirectory(path), provenance, tolerance, changes)


def _provenance(run: RunDirectory) -> Provenance:
    """Return what the run ran on. Raises `BaryonError` if it does not tell its processes."""
    provenance = provenance_file.read(run)
    ranks = provenance.ranks
    # Somebody else's file: PyTorch would try to start as many threads as it says.
    if not ranks or not all(0 < rank.threads <= MOST_THREADS for rank in ranks):
        raise BaryonError(
            f"{run.provenance} is damaged: it does not tell the threads of each process"
        )
    return provenance


def _warn_of_surroundings(provenance: Provenance, folder: Path | None) -> Sequence[str]:
    """Warn of each change of software and machine since then, and return them."""
    then = reproduction.surroundings(provenance)
    now = reproduction.surroundings_now(discover(), folder)
    changes = reproduction.changed_surroundings(then, now)
    _warn_of(changes)
    _hint_at_folder(provenance, folder)
    return changes


def _warn_of(changes: Sequence[str]) -> None:
    for change in changes:
        warn(f"not as it was: {change}")


def _hint_at_folder(provenance: Provenance, folder: Path | None) -> None:
    """Say what the user may want to give `folder` for.

    Only the user can: a folder that provenance.json names is somebody else's word.
    """
    started = provenance.folder
    if folder is None and started and Path(started) != Path.cwd():
        say(f"it was started in {started}; relative paths begin here: else give folder=<dir>")
    if folder is None and provenance.git:
        say("git is not asked for the commit: folder=<dir> says in which folder it may be")


def _launch(
    original: RunDirectory, provenance: Provenance, path: Path, folder: Path | None
) -> None:
    """Start as many processes as then, here. Raises `BaryonError` if those are too many."""
    ranks = provenance.ranks
    if len(ranks) > PROCESSES_PER_CORE * len(os.sched_getaffinity(0)):
        raise BaryonError(
            f"{original.path} had {len(ranks)} processes, too many for this machine: start them as "
            f"the run was started, for example srun -n {len(ranks)} baryon reproduce "
            f"run={original.path}"
        )
    command = child_python("-m", "baryon", "reproduce", f"run={original.path}", f"into={path}")
    command += [f"folder={folder}"] if folder else []
    threads = {"OMP_NUM_THREADS": str(ranks[0].threads)}
    code = follow(launch_command(len(ranks), command), launch_environment(len(ranks)) | threads)
    # The ranks have said what went wrong; a second line would hide it.
    if code:
        raise SystemExit(code)


def _train(original: RunDirectory, provenance: Provenance, path: Path, folder: Path | None) -> None:
    """Do this process's part of the run, with as many threads as it had."""
    import torch

    from baryon.training import run as training_run

    environment, ranks = cluster_environment(), provenance.ranks
    if environment.ranks != len(ranks):
        warn(f"the run had {len(ranks)} processes, here are {environment.ranks}")
    # The order of sums, and so their last bits, depends on the number of threads.
    torch.set_num_threads(ranks[min(environment.rank, len(ranks) - 1)].threads)
    plugins = checked_plugins()
    config = _config(original, plugins)
    # After plugins and config are read, whose paths begin at the user's own folder.
    if folder is not None:
        os.chdir(folder)
    training_run.start_or_resume(RunDirectory(path), config, plugins, git=folder is not None)


def _config(original: RunDirectory, plugins: Plugins) -> Config:
    """Return the run's config, computed in the way that was measured then to be the fastest.

    Not measured again: on a busy machine that may choose another way.
    """
    from baryon.training.autotune.execution_mode import EAGER

    records = [line for line in MetricsLog(original.log).read() if line["kind"] == "execution"]
    overrides: list[str] = []
    if records:
        execution = records[-1]
        if not fits(execution, EXECUTION):
            raise BaryonError(
                f"{original.log} does not tell how the run was computed: it is damaged"
            )
        overrides = [
            f"train.precision={execution['precision']}",
            f"train.compile={'never' if execution['mode'] == EAGER else 'always'}",
            f"train.channels_last={str(execution['channels_last']).lower()}",
        ]
        if "micro_batch" in execution:
            overrides += [f"train.micro_batch={execution['micro_batch']}", "train.memory_gib=null"]
    return frozen_file.read(original.config, overrides, plugins)


@dataclass(frozen=True)
class Outcome:
    """What two runs are compared by: their log, the evaluator's metrics and the last weights."""

    log: list[Any]
    metrics: Mapping[str, Any]
    weights: Mapping[str, Any]


def _outcome(run: RunDirectory) -> Outcome:
    """Read what a run is compared by. Raises `BaryonError` if a part of it is missing."""
    from baryon.training.checkpoints import schema
    from baryon.training.checkpoints.names import LAST

    try:
        log = MetricsLog(run.log).read()
        metrics = read_json(run.metrics)
    except BaryonError as error:
        raise BaryonError(f"{run.path} cannot be compared with: {error}") from error
    if not log:
        raise BaryonError(f"{run.path} cannot be compared with: it has no {run.log.name}")
    # What communication took differs from time to time, and is no result.
    of_processes = {key for line in log if line["kind"] == "communication" for key in line}
    metrics = {key: value for key, value in metrics.items() if key not in of_processes}
    return Outcome(log, metrics, schema.read_weights(run.checkpoints / LAST)["model"])


def _compare(
    original: RunDirectory,
    again: RunDirectory,
    provenance: Provenance,
    tolerance: float,
    warned: Sequence[str],
) -> int:
    """Write and say the verdict; changes that were `warned` of before are not told again."""
    then, now = _outcome(original), _outcome(again)
    curve = reproduction.curve(then.log, now.log)
    metrics = reproduction.metrics(then.metrics, now.metrics)
    weights = reproduction.weights(then.weights, now.weights)
    differences = [*curve, *weights, *metrics]
    verdict, equal = reproduction.verdict(differences, tolerance)
    before = reproduction.surroundings(provenance)
    after = reproduction.surroundings(provenance_file.read(again))
    changes = reproduction.changed_surroundings(before, after)
    _warn_of([change for change in changes if change not in warned])
    record = {
        "of": str(original.path),
        "verdict": verdict,
        "equal": equal,
        "tolerance": tolerance,
        "differences": [str(difference) for difference in differences[:MOST_LISTED]],
        "different": len(differences),
        "surroundings": changes,
    }
    run_directory.write_json(again.reproduction, record)
    say(f"{again.path}: {verdict}")
    return 0 if equal else 1
