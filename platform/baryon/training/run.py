"""A run from its first step, or from its last checkpoint, to its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import torch

from baryon.config import config as configs
from baryon.config.config import Config
from baryon.errors import BaryonError
from baryon.interfaces import Communicator, CommunicatorSummary, Evaluation
from baryon.plugins.answers import checked_findings
from baryon.plugins.registry import Plugins
from baryon.report import speed
from baryon.report.results import show_results, show_table, write_results
from baryon.runs import directory as run_directory
from baryon.runs import provenance
from baryon.runs.directory import RunDirectory
from baryon.runs.metrics_log import MetricsLog
from baryon.terminal.console import say, warn
from baryon.tracking.trackers import Trackers
from baryon.training.autotune.execution_mode import EAGER, FP32, ExecutionMode, precisions
from baryon.training.build import TRAIN, RunComponents, build_components
from baryon.training.checkpoints import schema
from baryon.training.checkpoints.file import DamagedError
from baryon.training.checkpoints.folder import BEST, load_last
from baryon.training.checkpoints.identity import require_same, require_same_config
from baryon.training.checkpoints.weights import put_weights
from baryon.training.consistency import build_consistently, distributed_run
from baryon.training.evaluation import StoppedError, evaluate
from baryon.training.model_runner import ModelRunner
from baryon.training.run_lock import RunLock
from baryon.training.stop_request import StopRequest, stop_on_signals
from baryon.training.trainer import Trainer
from baryon.training.trial_batch import try_parts
from baryon.training.validation import Observer

Found: TypeAlias = tuple[dict[str, Any], Path]
"""A checkpoint and where it was read."""
Place: TypeAlias = tuple[Path, bool]
"""A run's folder, and whether to go on from its checkpoint."""
Ranks: TypeAlias = Sequence[Mapping[str, Any]]
"""What each process of a run says of itself."""


def start(config: Config, plugins: Plugins, label: str) -> None:
    """Train and evaluate in a new folder. Raises `SystemExit` if a signal stopped it."""

    def new_folder(components: RunComponents, ranks: Ranks) -> Place:
        run = run_directory.create(config.run, label)
        lock.acquire(run.path)
        configs.write(config, run.config)
        provenance.write(run, config, plugins, components.dataset, ranks)
        return run.path, False

    with closing(RunLock()) as lock:
        _work_together(config, plugins, new_folder, lock=lock)


def start_or_resume(
    run: RunDirectory,
    config: Config,
    plugins: Plugins,
    *,
    observe: Observer | None = None,
    git: bool = True,
) -> None:
    """Begin in a folder that was made for this run, or go on if it has a checkpoint.

    A sweep's job has the folder's lock already; the folder of a reproduction nobody else knows.
    `observe`: asked after each validation whether to stop. `git`: as `provenance.write` has it.
    """

    def folder(components: RunComponents, ranks: Ranks) -> Place:
        run_directory.fill(run.path)
        configs.write(config, run.config)
        if any(run.checkpoints.glob("*.pt")):
            provenance.resumed(run, ranks)
            return run.path, True
        provenance.write(run, config, plugins, components.dataset, ranks, git=git)
        run.log.unlink(missing_ok=True)  # of an attempt that did not come to a checkpoint
        return run.path, False

    _work_together(config, plugins, folder, observe=observe)


def resume(
    run: RunDirectory, config: Config, plugins: Plugins, *, any_version: bool = False
) -> None:
    """Go on with an unfinished run from its last checkpoint; the same otherwise.

    `any_version`: also with a checkpoint that other versions of the plugins have written.
    """

    def folder(components: RunComponents, ranks: Ranks) -> Place:
        del components
        lock.acquire(run.path)
        run.require_unfinished()
        configs.write(config, run.config)  # who learns together may have changed
        provenance.resumed(run, ranks)
        return run.path, True

    with closing(RunLock()) as lock:
        _work_together(config, plugins, folder, any_version=any_version, lock=lock)


def _work_together(
    config: Config,
    plugins: Plugins,
    folder: Callable[[RunComponents, Ranks], Place],
    *,
    any_version: bool = False,
    observe: Observer | None = None,
    lock: RunLock | None = None,
) -> None:
    """This rank's part of a run; `folder` is called on the leader alone."""
    with distributed_run(config, plugins) as comm:

        def build() -> RunComponents | None:
            if comm.is_server:
                return None
            components = build_components(config, plugins, comm)
            if comm.is_leader:  # for all, who have the same components and data
                try_parts(config, plugins, components)
            return components

        components = build_consistently(comm, config, plugins, build)
        ranks = comm.all_gather_object(provenance.rank_state(torch.get_num_threads()))
        if components is None:
            with stop_on_signals():  # the workers stop, and a server when they have
                comm.serve()
            return
        # From here on signals are kept: a run that has a folder ends with a checkpoint in it.
        with closing(components), stop_on_signals() as stop:
            place: Place = comm.broadcast(folder(components, ranks) if comm.is_leader else None)
            path, resumes = place
            found = None
            if resumes:
                found = _last_checkpoint(
                    RunDirectory(path), config, components, any_version=any_version
                )
            _work(RunDirectory(path), config, plugins, components, found, observe, lock, stop)


def _last_checkpoint(
    run: RunDirectory, config: Config, components: RunComponents, *, any_version: bool
) -> Found:
    """The leader reads it for all."""
    found: Found
    found = components.comm.broadcast(
        load_last(run.checkpoints) if components.comm.is_leader else None
    )
    state, path = found
    require_same(path, state["identity"], components.identity, any_version=any_version)
    require_same_config(path, state["config"], config.decisive)
    compute_like(components.runner, state)
    return found


def _work(
    run: RunDirectory,
    config: Config,
    plugins: Plugins,
    components: RunComponents,
    found: Found | None,
    observe: Observer | None,
    lock: RunLock | None,
    stop: StopRequest,
) -> None:
    with closing(Trackers(config, run)) as trackers:
        trainer = Trainer(components, config, run, stop, trackers, observe, lock)
        trainer.prepare()
        _train(run, trainer, found)
        _take_best_weights(run, config, components)
        answer(run, config, plugins, components, components.held_out, trackers, stop)


def _train(run: RunDirectory, trainer: Trainer, found: Found | None) -> None:
    if found is not None:
        trainer.restore(*found)
    say(_opening(run, trainer))
    say(f"input: {trainer.loader.describe(trainer.components.comm.shard)}")
    finished, state = trainer.fit(), trainer.state
    _show_speed(trainer)
    if not finished:
        say(
            f"stopped by {trainer.stop} after step {state.step} of {state.total_steps}; the "
            f"checkpoint is written: go on with `baryon resume run={run.path}`"
        )
        raise SystemExit(_agreed_code(trainer.components.comm, trainer.stop.exit_code))


def answer(
    run: RunDirectory,
    config: Config,
    plugins: Plugins,
    components: RunComponents,
    split: str,
    trackers: Trackers | None = None,
    stop: StopRequest | None = None,
) -> None:
    """Evaluate on a split; the leader writes and shows the results.

    `trackers` of the training that came before; with what the communicator found in it. Raises
    `SystemExit` on all ranks if a signal is caught by `stop` before all samples were seen.
    """
    written = False
    while not written:
        try:
            evaluation = evaluate(components, components.loader(split), split, stop)
        except StoppedError:
            say(
                f"stopped by {stop} in the evaluation; the run is trained: go on with `baryon "
                f"resume run={run.path}`"
            )
            code = stop.exit_code if stop and stop.signal else 0
            raise SystemExit(_agreed_code(components.comm, code)) from None
        findings = components.comm.summary() if trackers else CommunicatorSummary()
        if evaluation is not None:
            findings = checked_findings(components.owners["comm"], findings)
            if split == TRAIN:
                evaluation = _with_warning(evaluation)
            evaluation = _with_findings(evaluation, findings)
            _log_findings(run, findings)
            write_results(run, config, evaluation, split, [*findings.tables, *findings.figures])
            show_results(run, evaluation)
            if trackers:
                trackers.answer(evaluation.metrics, split)
        # The leader may have died meanwhile: then another does it again.
        written = (
            components.comm.all_reduce_sum({"written": float(evaluation is not None)})["written"]
            > 0
        )


def _log_findings(run: RunDirectory, findings: CommunicatorSummary) -> None:
    """Beside the training's lines, with its tables row by row."""
    if findings.tables:
        tables = {
            name: [dict(zip(table.columns, row, strict=True)) for row in table.rows]
            for name, table in findings.tables.items()
        }
        MetricsLog(run.log).write("communication", {**findings.metrics, **tables})


def _agreed_code(comm: Communicator, code: int) -> int:
    """The exit code of the signal, on the ranks that it did not reach as well."""
    agreed = comm.all_reduce_sum({"codes": code, "signals": float(code > 0)})
    return int(agreed["codes"] / agreed["signals"])


def _take_best_weights(run: RunDirectory, config: Config, components: RunComponents) -> None:
    """The leader reads them for all."""
    comm, path = components.comm, run.checkpoints / BEST
    wanted = config.train.weights == "best"
    try:
        state = schema.read_weights(path) if comm.is_leader and wanted and path.is_file() else None
    except DamagedError as error:
        raise BaryonError(
            f"{error}; the run is trained: `baryon evaluate run={run.path} weights=last` evaluates "
            "the last weights"
        ) from error
    if (state := comm.broadcast(state)) is not None:
        put_weights(components.runner.model, state, path)


def compute_like(runner: ModelRunner, state: Mapping[str, Any]) -> None:
    """Compute as the run of a checkpoint did; where that is not possible, as nearly as it is."""
    wanted = ExecutionMode(**state["execution"])
    if wanted.precision in precisions(runner.device):
        runner.use(wanted)
        return
    there = ExecutionMode(FP32, EAGER, wanted.channels_last)
    warn(f"the checkpoint was computed in {wanted}, which is not there; here it is {there}")
    runner.use(there)


def _show_speed(trainer: Trainer) -> None:
    summary = trainer.meters.summary()
    show_table(speed.rates(summary))
    show_table(speed.phases(summary))


def _with_findings(evaluation: Evaluation, findings: CommunicatorSummary) -> Evaluation:
    return replace(
        evaluation,
        metrics={**evaluation.metrics, **findings.metrics},
        tables={**evaluation.tables, **findings.tables},
        figures={**evaluation.figures, **findings.figures},
        warnings=[*evaluation.warnings, *findings.warnings],
    )


def _with_warning(evaluation: Evaluation) -> Evaluation:
    text = "evaluated on the training split itself: give dataset.test for an honest answer"
    return replace(evaluation, warnings=[text, *evaluation.warnings])


def _opening(run: RunDirectory, trainer: Trainer) -> str:
    parameters = sum(p.numel() for p in trainer.components.runner.model.parameters())
    samples = len(trainer.loader.split)
    state, runner = trainer.state, trainer.components.runner
    return (
        f"run {run.path}: {parameters:,} parameters, {samples:,} training samples, steps "
        f"{state.step + 1} to {state.total_steps} on {runner.device}, "
        f"computed in {runner.execution} ({trainer.autotuner.why})"
    )
