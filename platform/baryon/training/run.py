"""Train a run from its first step, or from its last checkpoint, to its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from baryon.config import frozen_file
from baryon.config.config import Config
from baryon.errors import BaryonError
from baryon.interfaces import Communicator
from baryon.plugins.registry import Plugins
from baryon.report import speed
from baryon.report.results import show_table
from baryon.runs import directory as run_directory
from baryon.runs import provenance
from baryon.runs.directory import RunDirectory
from baryon.runs.provenance import RankProvenance
from baryon.terminal.console import say
from baryon.tracking.trackers import Trackers
from baryon.training.build import RunComponents, build_components
from baryon.training.checkpoints import schema
from baryon.training.checkpoints.file import DamagedError
from baryon.training.checkpoints.folder import load_last
from baryon.training.checkpoints.identity import require_same, require_same_config
from baryon.training.checkpoints.names import EMA, LAST, has_checkpoint
from baryon.training.checkpoints.weights import put_weights
from baryon.training.component_failures import component_failures
from baryon.training.consistency import build_consistently, distributed_run
from baryon.training.final_evaluation import evaluate_and_write
from baryon.training.initial_weights import load_initial_weights
from baryon.training.model_runner import use_saved_mode
from baryon.training.run_lock import RunLock
from baryon.training.stop_request import exit_code_of_all, stop_on_signals
from baryon.training.trainer import Trainer
from baryon.training.trial_batch import try_components
from baryon.training.validation import Observer


@dataclass(frozen=True)
class RunStart:
    """Where a run begins: in which folder, and whether from the last checkpoint there."""

    folder: Path
    from_checkpoint: bool


PrepareFolder = Callable[[RunComponents, Sequence[RankProvenance]], RunStart]
"""Prepares the folder of a run on the leader, once all ranks have built their components."""


def start(config: Config, plugins: Plugins, label: str) -> Path | None:
    """Train and evaluate in a new folder, and return it; None on a parameter server's rank.

    Parameters
    ----------
    config
        The frozen config.
    plugins
        All installed plugins.
    label
        What the folder's name ends with, if the config does not name the run.

    Raises
    ------
    BaryonError
        If the run cannot be built or fails.
    SystemExit
        If a signal stopped it, with the exit code that the signal asks for.

    """

    def prepare(components: RunComponents, ranks: Sequence[RankProvenance]) -> RunStart:
        run = run_directory.create(config.run, label)
        lock.acquire(run.path)
        frozen_file.write(config, run.config)
        provenance.write(
            run, config, plugins, components.dataset, ranks, components.initial_weights
        )
        return RunStart(run.path, from_checkpoint=False)

    with closing(RunLock()) as lock:
        return _run_this_rank(config, plugins, prepare, lock=lock)


def start_or_resume(
    run: RunDirectory,
    config: Config,
    plugins: Plugins,
    *,
    observe: Observer | None = None,
    git: bool = True,
) -> None:
    """Begin in a folder that was made for this run, or go on if it has a checkpoint.

    The caller has made sure that no other process works in the folder. Raises like `start`.

    Parameters
    ----------
    run
        The folder; it need not exist yet.
    config
        The frozen config.
    plugins
        All installed plugins.
    observe
        Called after each validation, and returns whether to stop.
    git
        Whether git may be run in the working directory; see `baryon.runs.provenance.write`.

    """

    def prepare(components: RunComponents, ranks: Sequence[RankProvenance]) -> RunStart:
        run_directory.fill(run.path)
        frozen_file.write(config, run.config)
        if has_checkpoint(run.checkpoints):
            provenance.add_resumption(run, ranks)
            return RunStart(run.path, from_checkpoint=True)
        run.set_log_aside()
        init = components.initial_weights
        provenance.write(run, config, plugins, components.dataset, ranks, init, git=git)
        return RunStart(run.path, from_checkpoint=False)

    _run_this_rank(config, plugins, prepare, checkpoints=run.checkpoints, observe=observe)


def resume(
    run: RunDirectory, config: Config, plugins: Plugins, *, any_version: bool = False
) -> None:
    """Go on with an unfinished run from its last checkpoint, to the same results.

    A run that was killed before its first checkpoint starts from its beginning. Raises like
    `start`, and also `BaryonError` if the run has finished or another process trains it.

    Parameters
    ----------
    run
        The folder.
    config
        The run's frozen config; communicator, reading and tracking may have changed.
    plugins
        All installed plugins.
    any_version
        Go on with a checkpoint that other versions of the plugins have written, too.

    """

    def prepare(components: RunComponents, ranks: Sequence[RankProvenance]) -> RunStart:
        lock.acquire(run.path)
        run.require_unfinished()  # again: it may have finished while this process waited
        frozen_file.write(config, run.config)
        if has_checkpoint(run.checkpoints):
            provenance.add_resumption(run, ranks)
            return RunStart(run.path, from_checkpoint=True)
        say(f"{run.path} was stopped before its first checkpoint: it starts from the beginning")
        run_directory.fill(run.path)
        run.set_log_aside()
        init = components.initial_weights
        provenance.write_restart(run, config, plugins, components.dataset, ranks, init)
        return RunStart(run.path, from_checkpoint=False)

    with closing(RunLock()) as lock:
        _run_this_rank(
            config,
            plugins,
            prepare,
            checkpoints=run.checkpoints,
            any_version=any_version,
            lock=lock,
        )


def _run_this_rank(
    config: Config,
    plugins: Plugins,
    prepare: PrepareFolder,
    *,
    checkpoints: Path | None = None,
    any_version: bool = False,
    observe: Observer | None = None,
    lock: RunLock | None = None,
) -> Path | None:
    """Do this rank's part of a run and return its folder; `prepare` is called on the leader alone.

    `checkpoints` is the folder of the checkpoints that the run may go on from. A parameter server
    has no folder: None.
    """
    with distributed_run(config, plugins) as comm:
        build = partial(_build, config, plugins, comm, checkpoints)
        components = build_consistently(comm, config, plugins, build)
        ranks = comm.all_gather_object(provenance.rank_provenance(torch.get_num_threads()))
        if components is None:
            # A server catches signals only to outlive them: it stops when the workers have.
            with stop_on_signals():
                comm.serve()
            return None
        # Until now a signal ended the process at once. From here on it is kept until the step is
        # done, so no run has a folder that it could neither go on from nor make anew.
        with closing(components), stop_on_signals() as stop:
            first: RunStart = comm.broadcast(prepare(components, ranks) if comm.is_leader else None)
            run = RunDirectory(first.folder)
            load = partial(_load_checkpoint, run, config, components, any_version=any_version)
            checkpoint = load() if first.from_checkpoint else None
            trackers = Trackers(config, run)
            with closing(trackers), component_failures(config, plugins, run):
                trainer = Trainer(components, config, run, stop, trackers, observe, lock)
                trainer.prepare()
                _train(run, trainer, checkpoint)
                _take_final_weights(run, config, components)
                split = components.evaluation_split
                evaluate_and_write(run, config, components, split, trackers, stop)
            return run.path


def _build(
    config: Config, plugins: Plugins, comm: Communicator, checkpoints: Path | None
) -> RunComponents | None:
    """Build and try the components of a worker; None on a parameter server's rank."""
    if comm.is_server:
        return None
    components = build_components(config, plugins, comm)
    if comm.is_leader:  # on one worker: all have the same components and data
        if config.train.init and not (checkpoints and has_checkpoint(checkpoints)):
            _take_initial_weights(config, components)  # all others take the leader's
        try_components(config, plugins, components)
    return components


def _take_initial_weights(config: Config, components: RunComponents) -> None:
    """Put the weights of `train.init` into the model, and note where they come from."""
    train, model = config.train, components.runner.model
    assert train.init is not None
    init = load_initial_weights(model, train.init, train.init_only)
    say(
        f"{init.taken} of {init.total} tensors of the model are those of {init.path}, step "
        f"{init.step} (SHA-256 {init.digest[:12]})"
    )
    components.initial_weights = init


def _load_checkpoint(
    run: RunDirectory, config: Config, components: RunComponents, *, any_version: bool
) -> tuple[Mapping[str, Any], Path]:
    """Read the newest whole checkpoint on the leader, for all workers; return state and path.

    Raises `BaryonError` if there is none, or it belongs to another run.
    """
    comm = components.comm
    state, path = comm.broadcast(load_last(run.checkpoints) if comm.is_leader else None)
    require_same(path, state["identity"], components.identity, any_version=any_version)
    require_same_config(path, state["config"], config.decisive)
    use_saved_mode(components.runner, state)
    return state, path


def _train(
    run: RunDirectory, trainer: Trainer, checkpoint: tuple[Mapping[str, Any], Path] | None
) -> None:
    """Train to the last step; raise `SystemExit` if the training was stopped before."""
    if checkpoint is not None:
        trainer.restore(*checkpoint)
    say(_first_line(run, trainer))
    say(f"input: {trainer.loader.describe(trainer.components.comm.shard)}")
    finished, state, stop = trainer.fit(), trainer.state, trainer.stop
    summary = trainer.meters.summary()
    show_table(speed.rates(summary))
    show_table(speed.phases(summary))
    if not finished:
        say(
            f"stopped by {stop} after step {state.step} of {state.total_steps}; the "
            f"checkpoint is written: go on with `baryon resume run={run.path}`"
        )
        raise SystemExit(exit_code_of_all(trainer.components.comm, stop.exit_code))


def _first_line(run: RunDirectory, trainer: Trainer) -> str:
    """Say how large the model and the data are, and how a step is computed."""
    state, runner = trainer.state, trainer.components.runner
    parameters = sum(parameter.numel() for parameter in runner.model.parameters())
    trained = sum(p.numel() for p in runner.model.parameters() if p.requires_grad)
    frozen = f" ({parameters - trained:,} of them frozen)" if trained < parameters else ""
    return (
        f"run {run.path}: {parameters:,} parameters{frozen}, {len(trainer.loader.split):,} "
        f"training samples, steps {state.step + 1} to {state.total_steps} on {runner.device}, "
        f"computed in {runner.execution} ({trainer.autotuner.why})"
    )


def _take_final_weights(run: RunDirectory, config: Config, components: RunComponents) -> None:
    """Give all workers the weights that the config evaluates: best or averaged, if there are any.

    There are no best weights without a validation split; the last ones are evaluated then. An
    average is always there, unless the leader died after the last step and before it was saved.
    """
    comm, path = components.comm, run.checkpoints / f"{config.train.weights}.pt"
    state = None
    if comm.is_leader and path.name == EMA and not path.is_file():
        raise BaryonError(
            f"{path} was not written: `baryon resume run={run.path}` writes and evaluates it"
        )
    try:
        if comm.is_leader and path.name != LAST and path.is_file():
            state = schema.read_weights(path)
    except DamagedError as error:
        raise BaryonError(
            f"{error}; the run is trained: `baryon evaluate run={run.path} weights=last` evaluates "
            "the last weights"
        ) from error
    if (state := comm.broadcast(state)) is not None:
        put_weights(components.runner.model, state, path)
