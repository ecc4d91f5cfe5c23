"""`baryon reproduce run=<dir>`: make a run again, and say whether it is the same."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from baryon import config as configs
from baryon.cli import HELP_FLAGS
from baryon.config import Config
from baryon.errors import BaryonError
from baryon.launched import launched
from baryon.plugins import Plugins, discover
from baryon.reporting import capsule as capsules
from baryon.reporting import reproduction, run_directory
from baryon.reporting.console import say, speak, warn
from baryon.reporting.metrics_log import MetricsLog
from baryon.reporting.run_directory import RunDirectory
from baryon.verbs.launch import follow, launch_command, launch_environment
from baryon.verbs.run_arguments import split_arguments

USAGE = """\
usage: baryon reproduce run=<dir> [tolerance=<number>]

Train a finished run again with its own config, seed, number of processes and threads, into
<dir>/reproductions, and compare weights, loss curve and metrics. The exit code is 0 if they are
bitwise equal, or equal within the tolerance (relative, 1e-3 unless it is given); else 1, and the
first difference is named. What is not as it was then (versions, machine, data) is told.

  baryon reproduce run=runs/latest
  baryon reproduce run=runs/big tolerance=0.01
  srun -n 64 baryon reproduce run=runs/big          (a run of 64 processes on a cluster)
"""


MOST_KEPT = 100
"""Differences that `reproduction.json` lists."""


def run(arguments: Sequence[str]) -> int:
    """Train, compare, say; 0 for the same, 1 for something else."""
    if not arguments or any(argument in HELP_FLAGS for argument in arguments):
        say(USAGE)
        return 0 if arguments else 2
    own, others = split_arguments(arguments, required=("run",), optional=("tolerance", "into"))
    if others:
        raise BaryonError(f"reproduce takes the run's own config, not {others[0]!r}")
    tolerance = _tolerance(own.get("tolerance", str(reproduction.TOLERANCE)))
    old = run_directory.find(own["run"])
    if not old.finished:
        raise BaryonError(f"{old.path} has not finished: there is nothing to compare with yet")
    capsule = capsules.read(old)
    if "into" in own:  # a process that was launched below
        _train(old, capsule, Path(own["into"]))
        return 0
    speak(aloud=launched().rank == 0)  # every rank that a user's launcher started is here
    _compared(old)  # fails before the training if it cannot be read
    told = _tell(capsule, capsules.here(discover(), Path(capsule["folder"])))
    path = run_directory.reproduction(old)
    ranks = len(capsule["ranks"])
    if launched().ranks == 1 and ranks > 1:
        _launch(old, capsule, path)
    else:
        _train(old, capsule, path)
        if launched().rank:
            return 0
    return _compare(old, RunDirectory(path), capsule, tolerance, told)


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise BaryonError(f"tolerance={text} must be a number, 0 or more")
    return value


def _launch(old: RunDirectory, capsule: Mapping[str, Any], path: Path) -> None:
    """As many processes as then, on this machine."""
    ranks = capsule["ranks"]
    command = [sys.executable, "-m", "baryon", "reproduce", f"run={old.path}", f"into={path}"]
    threads = {"OMP_NUM_THREADS": str(ranks[0]["threads"])}
    code = follow(launch_command(len(ranks), command), launch_environment(len(ranks)) | threads)
    if code:
        raise SystemExit(code)


def _train(old: RunDirectory, capsule: Mapping[str, Any], path: Path) -> None:
    """This process's part of the run, with as many threads as it had."""
    import torch

    from baryon.training import session

    here, ranks = launched(), capsule["ranks"]
    if here.ranks != len(ranks):
        warn(f"the run had {len(ranks)} processes, here are {here.ranks}")
    torch.set_num_threads(ranks[min(here.rank, len(ranks) - 1)]["threads"])
    plugins = discover()
    plugins.check()
    if Path(capsule["folder"]).is_dir():
        os.chdir(capsule["folder"])  # where the paths of its data begin
    session.take_up(RunDirectory(path), _config(old, plugins), plugins)


def _config(old: RunDirectory, plugins: Plugins) -> Config:
    """Its own, computed in the way that was measured then to be the fastest."""
    from baryon.training.execution.execution import EAGER

    lines = [line for line in MetricsLog(old.log).read() if line["kind"] == "execution"]
    chosen: list[str] = []
    if lines:
        found = lines[-1]
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
    known = {key: value for key, value in then.items() if key in now}
    changed = reproduction.surroundings(known, now)
    for line in changed:
        if line not in told:
            warn(f"not as it was: {line}")
    return changed


def _compared(run: RunDirectory) -> tuple[list[Any], Mapping[str, Any], Mapping[str, Any]]:
    """Log, metrics of the evaluator, and last weights. Raises `BaryonError` if one is missing."""
    from baryon.training.checkpoints import shards
    from baryon.training.checkpoints.folder import LAST

    try:
        log = MetricsLog(run.log).read()
        metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaryonError(f"{run.path} cannot be compared with: {error}") from error
    if not log:
        raise BaryonError(f"{run.path} cannot be compared with: it has no {run.log.name}")
    of_processes = {key for line in log if line["kind"] == "communication" for key in line}
    metrics = {key: value for key, value in metrics.items() if key not in of_processes}
    return log, metrics, shards.load(run.checkpoints / LAST)["model"]


def _compare(
    old: RunDirectory,
    new: RunDirectory,
    capsule: Mapping[str, Any],
    tolerance: float,
    told: Sequence[str],
) -> int:
    then, now = _compared(old), _compared(new)
    curve = reproduction.curve(then[0], now[0])
    metrics = reproduction.metrics(then[1], now[1])
    weights = reproduction.weights(then[2], now[2])
    differences = [*curve, *weights, *metrics]
    text, equal = reproduction.verdict(differences, tolerance)
    changed = _tell(capsule, capsules.read(new), told)
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
