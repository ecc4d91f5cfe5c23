"""The provenance of a run: all that it takes to do it again, beside its config.

`baryon reproduce` reads it, the report shows it. It is written when a run starts; a resumption adds
an entry to `resumed` and takes over `process`.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from baryon.config import defaults
from baryon.config.config import Config
from baryon.errors import BaryonError
from baryon.interfaces import Dataset
from baryon.plugins.registry import Plugins
from baryon.runs.directory import FORMAT, RunDirectory, write_json
from baryon.runs.git_state import git_state
from baryon.runs.machine import gpus, machine
from baryon.runs.record import PROVENANCE_SHAPES, process_began, require_known_format
from baryon.runs.versions import packages, versions
from baryon.system.atomic import atomic_write
from baryon.system.plain_data import fits, read_json
from baryon.terminal.console import warn
from baryon.terminal.credentials import strip_credentials

ENVIRONMENT = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "BARYON_DISABLE")
"""Variables that decide how a run computes; no others are kept, for they may hold secrets."""

SCRIPTS = ("/baryon", "/baryon/__main__.py")


def rank_state(threads: int) -> dict[str, Any]:
    """What one process has to say of itself; `threads` are those that PyTorch computes with."""
    return {"host": socket.gethostname(), "threads": threads, "gpus": gpus()}


def write(
    run: RunDirectory,
    config: Config,
    plugins: Plugins,
    dataset: Dataset,
    ranks: Sequence[Mapping[str, Any]],
    *,
    git: bool = True,
) -> None:
    """Write `provenance.json`, and `changes.patch` if the working directory is not as committed.

    `ranks` are the `rank_state` of all processes. `git` may be run in the working directory, which
    obeys what its repository configures: not where that came with somebody else's run.
    """
    state, patch = git_state(Path.cwd()) if git else (None, b"")
    if patch:
        with atomic_write(run.patch) as temporary:
            temporary.write_bytes(patch)
    provenance = {
        "format": FORMAT,
        "started": _now(),
        "command": _command(),
        "folder": str(Path.cwd()),
        "seed": config.seed,
        "config": config.digest,
        "changed": _changed(config, plugins),
        "data": {name: split.fingerprint() for name, split in dataset.splits.items()},
        "git": state,
        **versions(plugins),
        "machine": machine(),
        "ranks": list(ranks),
        "environment": {
            name: strip_credentials(os.environ[name]) for name in ENVIRONMENT if name in os.environ
        },
        "packages": packages(),
        "process": _process(),
        "resumed": [],
    }
    write_json(run.provenance, provenance)


def here(plugins: Plugins, folder: Path | None) -> dict[str, Any]:
    """What is known of this process before a run: versions, and the git state of `folder`."""
    return {**versions(plugins), **({"git": git_state(folder)[0]} if folder else {})}


def resumed(run: RunDirectory, ranks: Sequence[Mapping[str, Any]]) -> None:
    """Note that another process goes on; a run without provenance goes on all the same."""
    try:
        provenance = read(run)
    except BaryonError as error:
        warn(str(error))
        return
    entry = {"at": _now(), "command": _command(), "machine": machine(), "ranks": list(ranks)}
    provenance["resumed"] = [*provenance.get("resumed", []), entry]
    write_json(run.provenance, provenance | {"process": _process()})


def read(run: RunDirectory) -> dict[str, Any]:
    """Raises `BaryonError` if it is missing, damaged or of a newer Baryon."""
    if not run.provenance.exists():
        raise BaryonError(
            f"{run.path} has no {run.provenance.name}: without it what the run ran on is not known"
        )
    try:
        provenance = read_json(run.provenance)
    except BaryonError as error:
        raise BaryonError(f"{run.provenance} is damaged: {error}") from error
    require_known_format(run, provenance)
    for key, shape in PROVENANCE_SHAPES.items():
        if key in provenance and not fits(provenance[key], shape):
            raise BaryonError(f"{run.provenance} is damaged: its {key} is not what Baryon writes")
    return provenance


def _changed(config: Config, plugins: Plugins) -> dict[str, Any] | None:
    try:
        return defaults.changed(config.values, plugins)
    except BaryonError:  # a component without an option of its name
        return None


def _process() -> dict[str, Any]:
    """To tell later whether it still lives."""
    pid = os.getpid()
    host = socket.gethostname()
    return {"host": host, "pid": pid, "began": process_began(pid), "started": time.time()}


def _command() -> list[str]:
    """As it was given: Hydra puts its own order into `sys.argv`."""
    given = sys.orig_argv[1:]
    starts = [n + 1 for n, one in enumerate(given) if one == "baryon" or one.endswith(SCRIPTS)]
    arguments = given[starts[0] :] if starts else sys.argv[1:]
    return ["baryon", *map(strip_credentials, arguments)]


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
