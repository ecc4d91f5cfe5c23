"""A run from its first step, or from its last checkpoint, to its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import torch

from baryon import config as configs
from baryon.answers import checked_findings
from baryon.config import Config
from baryon.errors import BaryonError
from baryon.interfaces import Communicator, Evaluation, Findings
from baryon.plugins import Plugins
from baryon.reporting import capsule, run_directory, speed
from baryon.reporting.console import say, warn
from baryon.reporting.metrics_log import MetricsLog
from baryon.reporting.results import show_results, show_table, write_results
from baryon.reporting.run_directory import RunDirectory
from baryon.tracking.trackers import Trackers
from baryon.training.agreement import built_alike, together
from baryon.training.checkpoints import schema
from baryon.training.checkpoints.file import DamagedError
from baryon.training.checkpoints.folder import BEST, load_last
from baryon.training.checkpoints.identity import require_same, require_same_config
from baryon.training.checkpoints.weights import put_weights
from baryon.training.evaluation import StoppedError, evaluate
from baryon.training.execution.execution import EAGER, FP32, Execution, precisions
from baryon.training.loop import Observer, Trainer
from baryon.training.network import Network
from baryon.training.parts import TRAIN, Parts, build_parts
from baryon.training.run_lock import RunLock
from baryon.training.signals import StopRequest, stop_on_signals
from baryon.training.trial_batch import try_parts

Found: TypeAlias = tuple[dict[str, Any], Path]
"""A checkpoint and where it was read."""
Place: TypeAlias = tuple[Path, bool]
"""A run's folder, and whether to go on from its checkpoint."""
Ranks: TypeAlias = Sequence[Mapping[str, Any]]
"""What each process of a run says of itself."""


def start(config: Config, plugins: Plugins, label: str) -> None:
    """Train and evaluate in a new folder. Raises `SystemExit` if a signal stopped it."""

    def new_folder(parts: Parts, ranks: Ranks) -> Place:
        run = run_directory.create(config.run, label)
        lock.acquire(run.path)
        configs.write(config, run.config)
        capsule.write(run, config, plugins, parts.dataset, ranks)
        return run.path, False

    with closing(RunLock()) as lock:
        _work_together(config, plugins, new_folder, lock=lock)


def take_up(
    run: RunDirectory,
    config: Config,
    plugins: Plugins,
    *,
    observe: Observer | None = None,
    git: bool = True,
) -> None:
    """Begin in a folder that was made for this run, or go on if it has a checkpoint.

    A sweep's job has the folder's lock already; the folder of a reproduction nobody else knows.
    `observe`: asked after each validation whether to stop. `git`: as `capsule.write` has it.
    """

    def folder(parts: Parts, ranks: Ranks) -> Place:
        run_directory.fill(run.path)
        configs.write(config, run.config)
        if any(run.checkpoints.glob("*.pt")):
            capsule.resumed(run, ranks)
            return run.path, True
        capsule.write(run, config, plugins, parts.dataset, ranks, git=git)
        run.log.unlink(missing_ok=True)  # of an attempt that did not come to a checkpoint
        return run.path, False

    _work_together(config, plugins, folder, observe=observe)


def resume(
    run: RunDirectory, config: Config, plugins: Plugins, *, any_version: bool = False
) -> None:
    """Go on with an unfinished run from its last checkpoint; the same otherwise.

    `any_version`: also with a checkpoint that other versions of the plugins have written.
    """

    def folder(parts: Parts, ranks: Ranks) -> Place:
        del parts
        lock.acquire(run.path)
        run.require_unfinished()
        configs.write(config, run.config)  # who learns together may have changed
        capsule.resumed(run, ranks)
        return run.path, True

    with closing(RunLock()) as lock:
        _work_together(config, plugins, folder, any_version=any_version, lock=lock)


def _work_together(
    config: Config,
    plugins: Plugins,
    folder: Callable[[Parts, Ranks], Place],
    *,
    any_version: bool = False,
    observe: Observer | None = None,
    lock: RunLock | None = None,
) -> None:
    """This rank's part of a run; `folder` is called on the leader alone."""
    with together(config, plugins) as comm:

        def build() -> Parts | None:
            if comm.is_server:
                return None
            parts = build_parts(config, plugins, comm)
            if comm.leads:  # for all, who have the same components and data
                try_parts(config, plugins, parts)
            return parts

        parts = built_alike(comm, config, plugins, build)
        ranks = comm.exchange(capsule.rank_state(torch.get_num_threads()))
        if parts is None:
            with stop_on_signals():  # the workers stop, and a server when they have
                comm.serve()
            return
        # From here on signals are kept: a run that has a folder ends with a checkpoint in it.
        with closing(parts), stop_on_signals() as stop:
            place: Place = comm.broadcast(folder(parts, ranks) if comm.leads else None)
            path, resumes = place
            found = None
            if resumes:
                found = _last_checkpoint(RunDirectory(path), config, parts, any_version=any_version)
            _work(RunDirectory(path), config, plugins, parts, found, observe, lock, stop)


def _last_checkpoint(
    run: RunDirectory, config: Config, parts: Parts, *, any_version: bool
) -> Found:
    """The leader reads it for all."""
    found: Found
    found = parts.comm.broadcast(load_last(run.checkpoints) if parts.comm.leads else None)
    state, path = found
    require_same(path, state["identity"], parts.identity, any_version=any_version)
    require_same_config(path, state["config"], config.decisive)
    compute_like(parts.network, state)
    return found


def _work(
    run: RunDirectory,
    config: Config,
    plugins: Plugins,
    parts: Parts,
    found: Found | None,
    observe: Observer | None,
    lock: RunLock | None,
    stop: StopRequest,
) -> None:
    with closing(Trackers(config, run)) as trackers:
        trainer = Trainer(parts, config, run, stop, trackers, observe, lock)
        _train(run, trainer, found)
        _take_best_weights(run, config, parts)
        answer(run, config, plugins, parts, parts.held_out, trackers, stop)


def _train(run: RunDirectory, trainer: Trainer, found: Found | None) -> None:
    if found is not None:
        trainer.restore(*found)
    say(_opening(run, trainer))
    say(f"input: {trainer.loader.describe(trainer.parts.comm.share)}")
    finished = trainer.fit()
    _show_speed(trainer)
    if not finished:
        say(
            f"stopped by {trainer.stop} after step {trainer.step} of {trainer.total_steps}; the "
            f"checkpoint is written: go on with `baryon resume run={run.path}`"
        )
        raise SystemExit(_agreed_code(trainer.parts.comm, trainer.stop.exit_code))


def answer(
    run: RunDirectory,
    config: Config,
    plugins: Plugins,
    parts: Parts,
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
            evaluation = evaluate(parts, parts.loader(split), split, stop)
        except StoppedError:
            say(
                f"stopped by {stop} in the evaluation; the run is trained: go on with `baryon "
                f"resume run={run.path}`"
            )
            code = stop.exit_code if stop and stop.signal else 0
            raise SystemExit(_agreed_code(parts.comm, code)) from None
        findings = parts.comm.findings() if trackers else Findings()
        if evaluation is not None:
            findings = checked_findings(parts.owners["comm"], findings)
            if split == TRAIN:
                evaluation = _with_warning(evaluation)
            evaluation = _with_findings(evaluation, findings)
            _log_findings(run, findings)
            write_results(run, config, evaluation, split, [*findings.tables, *findings.figures])
            show_results(run, evaluation)
            if trackers:
                trackers.answer(evaluation.metrics, split)
        # The leader may have died meanwhile: then another does it again.
        written = parts.comm.agree({"written": float(evaluation is not None)})["written"] > 0


def _log_findings(run: RunDirectory, findings: Findings) -> None:
    """Beside the training's lines, with its tables row by row."""
    if findings.tables:
        tables = {
            name: [dict(zip(table.columns, row, strict=True)) for row in table.rows]
            for name, table in findings.tables.items()
        }
        MetricsLog(run.log).write("communication", {**findings.metrics, **tables})


def _agreed_code(comm: Communicator, code: int) -> int:
    """The exit code of the signal, on the ranks that it did not reach as well."""
    agreed = comm.agree({"codes": code, "signals": float(code > 0)})
    return int(agreed["codes"] / agreed["signals"])


def _take_best_weights(run: RunDirectory, config: Config, parts: Parts) -> None:
    """The leader reads them for all."""
    comm, path = parts.comm, run.checkpoints / BEST
    wanted = config.train.weights == "best"
    try:
        state = schema.read_weights(path) if comm.leads and wanted and path.is_file() else None
    except DamagedError as error:
        raise BaryonError(
            f"{error}; the run is trained: `baryon evaluate run={run.path} weights=last` evaluates "
            "the last weights"
        ) from error
    if (state := comm.broadcast(state)) is not None:
        put_weights(parts.network.model, state, path)


def compute_like(network: Network, state: Mapping[str, Any]) -> None:
    """Compute as the run of a checkpoint did; where that is not possible, as nearly as it is."""
    wanted = Execution(**state["execution"])
    if wanted.precision in precisions(network.device):
        network.use(wanted)
        return
    there = Execution(FP32, EAGER, wanted.channels_last)
    warn(f"the checkpoint was computed in {wanted}, which is not there; here it is {there}")
    network.use(there)


def _show_speed(trainer: Trainer) -> None:
    summary = trainer.meters.summary()
    show_table(speed.rates(summary))
    show_table(speed.phases(summary))


def _with_findings(evaluation: Evaluation, findings: Findings) -> Evaluation:
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
    parameters = sum(p.numel() for p in trainer.parts.network.model.parameters())
    samples = len(trainer.loader.split)
    return (
        f"run {run.path}: {parameters:,} parameters, {samples:,} training samples, steps "
        f"{trainer.step + 1} to {trainer.total_steps} on {trainer.parts.network.device}, computed "
        f"in {trainer.parts.network.execution} ({trainer.preparation.why})"
    )
