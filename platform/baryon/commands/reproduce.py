"""`baryon reproduce run=<dir>`: make a run again, and say whether it is the same."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from baryon.commands.arguments import HELP_FLAGS, split_arguments
from baryon.config import config as configs
from baryon.config.config import Config
from baryon.config.schemas import PRECISIONS
from baryon.errors import BaryonError
from baryon.launch.child_python import child_python
from baryon.launch.environment import cluster_environment
from baryon.launch.mpiexec import follow, launch_command, launch_environment
from baryon.plugins.registry import Plugins, discover
from baryon.runs import directory as run_directory
from baryon.runs import provenance as provenance_file
from baryon.runs import reproduction
from baryon.runs.directory import RunDirectory
from baryon.runs.metrics_log import MetricsLog
from baryon.runs.provenance import Provenance
from baryon.system.plain_data import Shape, fits, is_count, is_text, optional, read_json
from baryon.terminal.console import say, speak, warn

USAGE = """\
usage: baryon reproduce run=<dir> [tolerance=<number>] [folder=<dir>]

Train a finished run again with its own config, seed, number of processes and threads, into
<dir>/reproductions, and compare weights, loss curve and metrics. The exit code is 0 if they are
bitwise equal, or equal within the tolerance (relative, 1e-3 unless it is given); else 1, and the
first difference is named. What is not as it was then (versions, machine, data) is told. `folder` is
where relative paths of its data begin, if not here; its git state is compared as well.

  baryon reproduce run=runs/latest
  baryon reproduce run=runs/latest folder=.
  baryon reproduce run=runs/big tolerance=0.01
  srun -n 64 baryon reproduce run=runs/big          (a run of 64 processes on a cluster)
"""


MOST_KEPT = 100
"""Differences that `reproduction.json` lists."""
MOST_THREADS = 1024
PROCESSES_PER_CORE = 4
"""More than so many processes are not started here because a file says so."""
MEASURED: Shape = {
    "precision": lambda word: word in PRECISIONS, "mode": is_text,
    "channels_last": lambda flag: isinstance(flag, bool), "micro_batch?": optional(is_count),
}  # fmt: skip
"""What the line `execution` of a log must hold to be computed with again."""


def run(arguments: Sequence[str]) -> int:
    """Train, compare, say; 0 for the same, 1 for something else."""
    if not arguments or any(argument in HELP_FLAGS for argument in arguments):
        say(USAGE)
        return 0 if arguments else 2
    optional_keys = ("tolerance", "folder", "into")
    own, others = split_arguments(arguments, required=("run",), optional=optional_keys)
    if others:
        raise BaryonError(f"reproduce takes the run's own config, not {others[0]!r}")
    tolerance = _tolerance(own.get("tolerance", str(reproduction.TOLERANCE)))
    old = run_directory.find(own["run"])
    if not old.finished:
        raise BaryonError(f"{old.path} has not finished: there is nothing to compare with yet")
    provenance = _provenance(old)
    folder = _folder(own.get("folder"))
    if "into" in own:  # a process that was launched below
        _train(old, provenance, Path(own["into"]).absolute(), folder)
        return 0
    speak(
        aloud=cluster_environment().rank == 0
    )  # every rank that a user's launcher started is here
    _compared(old)  # fails before the training if it cannot be read
    then = reproduction.surroundings(provenance)
    told = _tell(then, reproduction.surroundings_now(discover(), folder))
    _tell_where(provenance, folder)
    path = old.new_reproduction()
    ranks = len(provenance.ranks)
    if cluster_environment().ranks == 1 and ranks > 1:
        _launch(old, provenance, path, folder)
    else:
        _train(old, provenance, path, folder)
        if cluster_environment().rank:
            return 0
    return _compare(old, RunDirectory(path), provenance, tolerance, told)


def _provenance(run: RunDirectory) -> Provenance:
    """What the run ran on. Raises `BaryonError` if it does not tell its processes."""
    provenance = provenance_file.read(run)
    ranks = provenance.ranks
    if not ranks or not all(0 < rank.threads <= MOST_THREADS for rank in ranks):
        raise BaryonError(
            f"{run.provenance} is damaged: it does not tell the threads of each process"
        )
    return provenance


def _folder(given: str | None) -> Path | None:
    """The user's own word: a folder that provenance.json names is somebody else's."""
    if given is None:
        return None
    folder = Path(given).absolute()
    if not folder.is_dir():
        raise BaryonError(f"folder={given} is no folder: give the one that the run was started in")
    return folder


def _tell_where(provenance: Provenance, folder: Path | None) -> None:
    """Say what the user may want to give `folder` for."""
    started = provenance.folder
    if folder is None and started and Path(started) != Path.cwd():
        say(f"it was started in {started}; relative paths begin here: else give folder=<dir>")
    if folder is None and provenance.git:
        say("git is not asked for the commit: folder=<dir> says in which folder it may be")


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise BaryonError(f"tolerance={text} must be a number, 0 or more")
    return value


def _launch(old: RunDirectory, provenance: Provenance, path: Path, folder: Path | None) -> None:
    """As many processes as then, on this machine. Raises `BaryonError` if those are too many."""
    ranks = provenance.ranks
    if len(ranks) > PROCESSES_PER_CORE * len(os.sched_getaffinity(0)):
        raise BaryonError(
            f"{old.path} had {len(ranks)} processes, too many for this machine: start them as the "
            f"run was started, for example srun -n {len(ranks)} baryon reproduce run={old.path}"
        )
    command = child_python("-m", "baryon", "reproduce", f"run={old.path}", f"into={path}")
    command += [f"folder={folder}"] if folder else []
    threads = {"OMP_NUM_THREADS": str(ranks[0].threads)}
    code = follow(launch_command(len(ranks), command), launch_environment(len(ranks)) | threads)
    if code:
        raise SystemExit(code)


def _train(old: RunDirectory, provenance: Provenance, path: Path, folder: Path | None) -> None:
    """This process's part of the run, with as many threads as it had."""
    import torch

    from baryon.training import run as training_run

    here, ranks = cluster_environment(), provenance.ranks
    if here.ranks != len(ranks):
        warn(f"the run had {len(ranks)} processes, here are {here.ranks}")
    torch.set_num_threads(ranks[min(here.rank, len(ranks) - 1)].threads)
    plugins = discover()
    plugins.check()
    config = _config(old, plugins)
    if folder is not None:
        os.chdir(folder)
    training_run.start_or_resume(RunDirectory(path), config, plugins, git=folder is not None)


def _config(old: RunDirectory, plugins: Plugins) -> Config:
    """Its own, computed in the way that was measured then to be the fastest."""
    from baryon.training.autotune.execution_mode import EAGER

    lines = [line for line in MetricsLog(old.log).read() if line["kind"] == "execution"]
    chosen: list[str] = []
    if lines:
        found = lines[-1]
        if not fits(found, MEASURED):
            raise BaryonError(f"{old.log} does not tell how the run was computed: it is damaged")
        chosen = [
            f"train.precision={found['precision']}",
            f"train.compile={'never' if found['mode'] == EAGER else 'always'}",
            f"train.channels_last={str(found['channels_last']).lower()}",
        ]
        if "micro_batch" in found:
            chosen += [f"train.micro_batch={found['micro_batch']}", "train.memory_gib=null"]
    return configs.read(old.config, chosen, plugins)


def _tell(then: Mapping[str, Any], now: Mapping[str, Any], told: Sequence[str] = ()) -> list[str]:
    """What is known `now` and was something else then; what has been told is not told again."""
    changed = reproduction.changed_surroundings(then, now)
    for line in changed:
        if line not in told:
            warn(f"not as it was: {line}")
    return changed


def _compared(run: RunDirectory) -> tuple[list[Any], Mapping[str, Any], Mapping[str, Any]]:
    """Log, metrics of the evaluator, and last weights. Raises `BaryonError` if one is missing."""
    from baryon.training.checkpoints import schema
    from baryon.training.checkpoints.folder import LAST

    try:
        log = MetricsLog(run.log).read()
        metrics = read_json(run.metrics)
    except BaryonError as error:
        raise BaryonError(f"{run.path} cannot be compared with: {error}") from error
    if not log:
        raise BaryonError(f"{run.path} cannot be compared with: it has no {run.log.name}")
    of_processes = {key for line in log if line["kind"] == "communication" for key in line}
    metrics = {key: value for key, value in metrics.items() if key not in of_processes}
    return log, metrics, schema.read_weights(run.checkpoints / LAST)["model"]


def _compare(
    old: RunDirectory,
    new: RunDirectory,
    provenance: Provenance,
    tolerance: float,
    told: Sequence[str],
) -> int:
    then, now = _compared(old), _compared(new)
    curve = reproduction.curve(then[0], now[0])
    metrics = reproduction.metrics(then[1], now[1])
    weights = reproduction.weights(then[2], now[2])
    differences = [*curve, *weights, *metrics]
    text, equal = reproduction.verdict(differences, tolerance)
    surroundings = reproduction.surroundings(provenance_file.read(new))
    changed = _tell(reproduction.surroundings(provenance), surroundings, told)
    found = {
        "of": str(old.path),
        "verdict": text,
        "equal": equal,
        "tolerance": tolerance,
        "differences": [str(one) for one in differences[:MOST_KEPT]],
        "different": len(differences),
        "surroundings": changed,
    }
    run_directory.write_json(new.reproduction, found)
    say(f"{new.path}: {text}")
    return 0 if equal else 1
