"""Read and write `provenance.json`: all that it takes to make a run again, beside its config.

It is written when a run starts; a resumption adds an entry to `resumed` and takes over `process`.
`baryon reproduce` reads it, and the report shows it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from baryon.config import defaults
from baryon.config.config import Config
from baryon.errors import BaryonError
from baryon.interfaces import Dataset
from baryon.plugins.registry import Plugins
from baryon.runs.command_line import command_line
from baryon.runs.directory import FORMAT, RunDirectory, write_json
from baryon.runs.git_state import GIT_SHAPE, GitState, git_state
from baryon.runs.machine import gpus, machine
from baryon.runs.process import PROCESS_SHAPE, ProcessIdentity, this_process
from baryon.runs.versions import packages, versions
from baryon.system.atomic import atomic_write
from baryon.system.plain_data import (
    Shape,
    fits,
    is_count,
    is_finite,
    is_mapping,
    is_text,
    optional,
    read_json,
)
from baryon.terminal.console import warn
from baryon.terminal.credentials import strip_credentials

ENVIRONMENT = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "BARYON_DISABLE")
"""Variables that decide how a run computes; no others are kept, for they may hold secrets."""

SHAPES: Mapping[str, Shape] = {
    "started": is_text, "command": [is_text], "folder": is_text, "seed": optional(is_finite),
    "config": is_text, "changed": optional(is_mapping), "data": is_mapping,
    "git": optional(GIT_SHAPE), "baryon": is_text, "python": is_text, "plugins": is_mapping,
    "libraries": is_mapping, "machine": is_mapping,
    "ranks": [{"host": is_text, "threads": is_count, "gpus?": [is_text]}],
    "environment": is_mapping, "packages": is_mapping, "process": PROCESS_SHAPE,
    "resumed": [{"at": is_text, "command": [is_text]}],
    "init": optional(
        {"path": is_text, "step": is_count, "digest": is_text, "taken": is_count, "total": is_count}
    ),
}  # fmt: skip
"""What each part of the file must look like: it may come from somebody else."""


Part = TypeVar("Part", GitState, ProcessIdentity, "RankProvenance", "Resumption", "InitialWeights")


@dataclass(frozen=True)
class RankProvenance:
    """Where one process of a run computed: its host, the threads of PyTorch, its GPUs' names."""

    host: str
    threads: int
    gpus: Sequence[str] = ()


@dataclass(frozen=True)
class Resumption:
    """A later start of a run: when, by which command, on what."""

    at: str
    command: Sequence[str]
    machine: Mapping[str, Any] = field(default_factory=dict)
    ranks: Sequence[Any] = ()


@dataclass(frozen=True)
class InitialWeights:
    """Weights of another run that a run started from.

    Attributes
    ----------
    path : the checkpoint's file
    step : the step that its weights are of
    digest : SHA-256 of the names and values that were taken, in hexadecimal digits
    taken, total : number of parameters and buffers that were taken, and that the model has

    """

    path: str
    step: int
    digest: str
    taken: int
    total: int


@dataclass(frozen=True)
class Provenance:
    """Content of `provenance.json`; a part that the file lacks is empty.

    Attributes
    ----------
    started : time of the start, ISO 8601
    command : the command line, as `baryon.runs.command_line` gives it
    folder : the folder in which it was typed
    seed : `seed` of the config
    config : digest of the frozen config
    changed : default value of each key that has another value; None if that cannot be told
    data : fingerprint of each split
    git : state of the repository of `folder`; None if there is none, or if git was not asked
    baryon, python, plugins, libraries : versions
    machine : what `baryon.runs.machine.machine` says of the leader's machine
    ranks : one entry a process
    environment : those of `ENVIRONMENT` that were set
    packages : versions of all installed distributions
    process : the process that leads the run
    resumed : one entry a resumption
    init : the weights that the run started from; None if they are from the seed

    """

    started: str = ""
    command: Sequence[str] = ()
    folder: str = ""
    seed: int | None = None
    config: str = ""
    changed: Mapping[str, Any] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    git: GitState | None = None
    baryon: str = ""
    python: str = ""
    plugins: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    ranks: Sequence[RankProvenance] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    process: ProcessIdentity = field(default_factory=ProcessIdentity)
    resumed: Sequence[Resumption] = ()
    init: InitialWeights | None = None


def rank_provenance(threads: int) -> RankProvenance:
    """Describe the process that calls; `threads` are those that PyTorch computes with."""
    return RankProvenance(socket.gethostname(), threads, gpus())


def write(
    run: RunDirectory,
    config: Config,
    plugins: Plugins,
    dataset: Dataset,
    ranks: Sequence[RankProvenance],
    init: InitialWeights | None = None,
    *,
    git: bool = True,
) -> None:
    """Write `provenance.json`, and `changes.patch` if the working directory is not as committed.

    Parameters
    ----------
    run
        Folder of the run.
    config
        The frozen config.
    plugins
        All installed plugins.
    dataset
        The open dataset, for the fingerprints of its splits.
    ranks
        `rank_provenance` of all processes.
    init
        The weights of another run that it starts from.
    git
        Whether git may be run in the working directory. Git obeys what the repository there
        configures, so it must not where that came with somebody else's run.

    """
    state, patch = git_state(Path.cwd()) if git else (None, b"")
    if patch:
        with atomic_write(run.patch) as temporary:
            temporary.write_bytes(patch)
    _write(run, replace(_describe(config, plugins, dataset, ranks), git=state, init=init))


def write_restart(
    run: RunDirectory,
    config: Config,
    plugins: Plugins,
    dataset: Dataset,
    ranks: Sequence[RankProvenance],
    init: InitialWeights | None = None,
) -> None:
    """Describe anew a run that begins again in its own folder, with what it runs on now.

    Command, folder and git state remain those of the first start, and the new start is added to
    `resumed`. Parameters are those of `write`.
    """
    now = replace(_describe(config, plugins, dataset, ranks), init=init)
    try:
        first = read(run)
    except BaryonError:  # killed before it was written, or damaged since
        _write(run, now)
        return
    if init is not None and first.init is not None and init.digest != first.init.digest:
        warn(f"{init.path} holds other weights than when {run.path} was started first")
    resumed = [*first.resumed, Resumption(now.started, now.command, now.machine, ranks)]
    started, command, folder, git = first.started, first.command, first.folder, first.git
    _write(
        run,
        replace(now, started=started, command=command, folder=folder, git=git, resumed=resumed),
    )


def _describe(
    config: Config, plugins: Plugins, dataset: Dataset, ranks: Sequence[RankProvenance]
) -> Provenance:
    """Describe a run that starts now, but for its git state."""
    return Provenance(
        started=_now(),
        command=command_line(),
        folder=str(Path.cwd()),
        seed=config.seed,
        config=config.digest,
        changed=_changed(config, plugins),
        data={name: split.fingerprint() for name, split in dataset.splits.items()},
        **versions(plugins),
        machine=machine(),
        ranks=ranks,
        environment={
            name: strip_credentials(os.environ[name]) for name in ENVIRONMENT if name in os.environ
        },
        packages=packages(),
        process=this_process(),
    )


def add_resumption(run: RunDirectory, ranks: Sequence[RankProvenance]) -> None:
    """Note that this process goes on with a run.

    A file that cannot be read is left as it is, with a warning: it must not keep a run from going
    on.
    """
    try:
        provenance = read(run)
    except BaryonError as error:
        warn(str(error))
        return
    entry = Resumption(_now(), command_line(), machine(), ranks)
    resumed = [*provenance.resumed, entry]
    _write(run, replace(provenance, resumed=resumed, process=this_process()))


def _write(run: RunDirectory, provenance: Provenance) -> None:
    write_json(run.provenance, {"format": FORMAT, **asdict(provenance)})


def read(run: RunDirectory) -> Provenance:
    """Read the provenance of a run, whole.

    Raises
    ------
    BaryonError
        If the file is missing or damaged, or the run's folder of a newer Baryon.

    """
    if not run.provenance.exists():
        raise BaryonError(
            f"{run.path} has no {run.provenance.name}: without it what the run ran on is not known"
        )
    try:
        values = read_json(run.provenance)
    except BaryonError as error:
        raise BaryonError(f"{run.provenance} is damaged: {error}") from error
    provenance, damaged = parse(run, values)
    if damaged:
        raise BaryonError(
            f"{run.provenance} is damaged: its {damaged[0]} is not what Baryon writes"
        )
    return provenance


def parse(run: RunDirectory, values: Mapping[str, Any]) -> tuple[Provenance, list[str]]:
    """Take what is sound of a provenance that was read as plain values.

    Returns
    -------
    provenance : Provenance
        Without the damaged parts.
    damaged : list of str
        Names of these parts.

    Raises
    ------
    BaryonError
        If the run's folder is of a newer Baryon.

    """
    _require_known_format(run, values)
    known = [key for key in SHAPES if key in values]
    damaged = [key for key in known if not fits(values[key], SHAPES[key])]
    sound = {key: values[key] for key in known if key not in damaged}
    if sound.get("git") is not None:
        sound["git"] = _dataclass(GitState, sound["git"])
    if "process" in sound:
        sound["process"] = _dataclass(ProcessIdentity, sound["process"])
    if sound.get("init") is not None:
        sound["init"] = _dataclass(InitialWeights, sound["init"])
    sound["ranks"] = [_dataclass(RankProvenance, rank) for rank in sound.get("ranks", ())]
    sound["resumed"] = [_dataclass(Resumption, entry) for entry in sound.get("resumed", ())]
    return Provenance(**sound), damaged


def _dataclass(kind: type[Part], values: Mapping[str, Any]) -> Part:
    """Build a dataclass of those values that it has a field for."""
    # What a later version adds is passed over, as long as the format has the same number.
    names = [entry.name for entry in fields(kind)]
    return kind(**{name: values[name] for name in names if name in values})


def _require_known_format(run: RunDirectory, values: Mapping[str, Any]) -> None:
    written = values.get("format", 0)
    if not is_count(written):
        raise BaryonError(f"{run.provenance} is damaged: its format is not a number")
    if written > FORMAT:
        raise BaryonError(
            f"{run.path} has run format {written}, written by baryon {values.get('baryon', '?')}; "
            f"this one reads formats up to {FORMAT}: install that version"
        )


def _changed(config: Config, plugins: Plugins) -> Mapping[str, Any] | None:
    try:
        return defaults.changed(config.values, plugins)
    except BaryonError:  # a component without an option of its name has no defaults
        return None


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
