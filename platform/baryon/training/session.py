"""A run from its first step, or from its last checkpoint, to its results."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from baryon import config as configs
from baryon.config import Config
from baryon.interfaces import Evaluation
from baryon.plugins import Plugins
from baryon.reporting import run_directory
from baryon.reporting.console import say
from baryon.reporting.results import show_results, write_results
from baryon.reporting.run_directory import RunDirectory
from baryon.reporting.versions import versions
from baryon.training import checkpoint
from baryon.training.evaluation import evaluate
from baryon.training.loop import Trainer
from baryon.training.parts import TRAIN, Parts, build_parts
from baryon.training.signals import stop_on_signals


def start(config: Config, plugins: Plugins, label: str, job: Path | None) -> None:
    """Train and evaluate in a new folder. Raises `SystemExit` if a signal stopped it."""
    with closing(build_parts(config, plugins)) as parts:
        run = run_directory.create(config.run, label, job)
        configs.write(config, run.config)
        run_directory.write_json(run.versions, versions(plugins))
        _work(run, config, plugins, parts, resume=False)


def resume(run: RunDirectory, config: Config, plugins: Plugins) -> None:
    """Go on with an unfinished run from its last checkpoint; the same otherwise."""
    with closing(build_parts(config, plugins)) as parts:
        _work(run, config, plugins, parts, resume=True)


def _work(
    run: RunDirectory, config: Config, plugins: Plugins, parts: Parts, *, resume: bool
) -> None:
    if parts.comm.is_server:
        parts.comm.serve()
        return
    with stop_on_signals() as stop:
        trainer = Trainer(parts, config, run, stop)
        if resume:
            trainer.restore()
        say(_opening(run, trainer))
        if not trainer.fit():
            say(
                f"stopped by {stop.signal.name if stop.signal else 'another rank'} after step "
                f"{trainer.step} of {trainer.total_steps}; the checkpoint is written: go on with "
                f"`baryon resume run={run.path}`"
            )
            raise SystemExit(stop.exit_code)
    if config.train.weights == "best" and (run.checkpoints / checkpoint.BEST).is_file():
        checkpoint.load_weights(parts.network.model, run.checkpoints / checkpoint.BEST)
    answer(run, config, plugins, parts, parts.held_out)


def answer(run: RunDirectory, config: Config, plugins: Plugins, parts: Parts, split: str) -> None:
    """Evaluate on a split; worker 0 writes and shows the results."""
    evaluation = evaluate(parts.network, parts.evaluator, parts.loader(split), parts.comm)
    if evaluation is None:
        return
    if split == TRAIN:
        evaluation = _with_warning(evaluation)
    write_results(run, config, versions(plugins), evaluation, split)
    show_results(run, evaluation)


def _with_warning(evaluation: Evaluation) -> Evaluation:
    text = "evaluated on the training split itself: give dataset.test for an honest answer"
    return replace(evaluation, warnings=[text, *evaluation.warnings])


def _opening(run: RunDirectory, trainer: Trainer) -> str:
    parameters = sum(p.numel() for p in trainer.parts.network.model.parameters())
    samples = len(trainer.loader.split)
    return (
        f"run {run.path}: {parameters:,} parameters, {samples:,} training samples, steps "
        f"{trainer.step + 1} to {trainer.total_steps} on {trainer.parts.network.device}"
    )
