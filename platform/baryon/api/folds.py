"""Judge the runs of all folds together: every sample by the network that never saw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.config import frozen_file
from baryon.config.config import Config
from baryon.errors import BaryonError
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import Plugins
from baryon.runs import sweep_file
from baryon.runs.directory import RunDirectory, fill, unique_name
from baryon.runs.sweep_file import choices_text
from baryon.sweeps.sweep import write_report
from baryon.terminal.console import say

if TYPE_CHECKING:
    from baryon.data.folds.dataset import FoldedDataset
    from baryon.training.build import RunComponents
    from baryon.training.evaluation import Pass

ALL_FOLDS = "all folds"
"""What a report calls the split."""
FOLD = "train.fold"


@dataclass(frozen=True)
class FoldRuns:
    """The runs of a sweep that differ in their fold alone.

    Attributes
    ----------
    choices : values of the other swept keys
    runs : the runs by their fold
    folds : number of folds
    digest : hash of all that decides the result, but for the fold

    """

    choices: Mapping[str, Any]
    runs: Mapping[int, RunDirectory]
    folds: int
    digest: str

    def __str__(self) -> str:
        others = f" ({choices_text(self.choices)})" if self.choices else ""
        return f"all {self.folds} folds together{others}"


def evaluate_new_folds(sweep: Path, plugins: Plugins) -> list[RunDirectory]:
    """Evaluate what the sweep has of complete folds and has not evaluated yet; return the answers.

    A sweep without `train.folds` has none.
    """
    answers, of_choices = [], _fold_runs(sweep)
    for fold_runs in of_choices:
        answer = RunDirectory(sweep / "evaluations" / f"folds-{fold_runs.digest[:8]}")
        # A fold that is missing has samples that no network may judge.
        if len(fold_runs.runs) < fold_runs.folds:
            continue
        if answer.finished:
            say(f"{fold_runs}: {answer.report}")
        else:
            evaluate_folds(fold_runs, answer, plugins)
        answers.append(answer)
    if answers:
        write_report(sweep)
    return answers


def evaluate_sweep(
    sweep: Path, plugins: Plugins, overrides: Sequence[str] = (), *, weights: str | None = None
) -> list[RunDirectory]:
    """Evaluate all folds of a sweep again, in new folders below its `evaluations/`.

    Parameters
    ----------
    sweep
        Folder of a sweep with `train.folds`.
    plugins
        All installed plugins.
    overrides
        Changes of the frozen configs.
    weights
        `"best"`, `"last"` or `"ema"`; None takes what the configs say.

    Raises
    ------
    BaryonError
        If the sweep has no folds, or not all of them have been trained.

    """
    of_choices = _fold_runs(sweep)
    if not of_choices:
        raise BaryonError(
            f"sweep={sweep} has no folds to judge together: evaluate its runs one by one, or make "
            "folds by `baryon train -m ... train.folds=5`"
        )
    for fold_runs in of_choices:
        if missing := sorted(set(range(fold_runs.folds)) - fold_runs.runs.keys()):
            raise BaryonError(
                f"sweep={sweep}: fold {missing[0]} of {fold_runs.folds} has not been trained "
                f"(of {fold_runs}): give the sweep's command again"
            )
    answers = [RunDirectory(sweep / "evaluations" / unique_name()) for _ in of_choices]
    for fold_runs, answer in zip(of_choices, answers, strict=True):
        evaluate_folds(fold_runs, answer, plugins, overrides, weights=weights)
    write_report(sweep)
    return answers


def evaluate_folds(
    fold_runs: FoldRuns,
    answer: RunDirectory,
    plugins: Plugins,
    overrides: Sequence[str] = (),
    *,
    weights: str | None = None,
) -> None:
    """Judge the samples of every fold by its own run, write the answer into a folder, show it.

    Raises `BaryonError` if the data or the weights are not there.
    """
    # The folds may have been trained with servers or groups, which judging does not need.
    comm_name = "serial" if cluster_environment().ranks == 1 else "sync"
    changes = [f"comm={comm_name}", *overrides]
    config = frozen_file.read(fold_runs.runs[0].config, changes, plugins)

    import torch

    from baryon.runs import provenance
    from baryon.training.build import build_components
    from baryon.training.consistency import distributed_run
    from baryon.training.final_evaluation import Judged, evaluate_and_write

    with (
        distributed_run(config, plugins) as comm,
        closing(build_components(config, plugins, comm)) as components,
    ):
        passes = _passes(fold_runs, components, weights or config.train.weights)
        ranks = comm.all_gather_object(provenance.rank_provenance(torch.get_num_threads()))
        if comm.is_leader:
            say(f"{fold_runs}: each sample is judged by the network that never saw it")
            fill(answer.path)
            provenance.write(answer, config, plugins, components.dataset, ranks)
        judged = Judged(components.loader_of(_dataset(components).pool), passes)
        evaluate_and_write(
            RunDirectory(comm.broadcast(answer.path)),
            _of_all(config),
            components,
            ALL_FOLDS,
            judged=judged,
        )


def _passes(fold_runs: FoldRuns, components: RunComponents, weights: str) -> list[Pass]:
    """Return one pass a fold: its weights, and the samples that these have never seen."""
    from baryon.api.weights import chosen_weights, load_weights
    from baryon.training.evaluation import Pass

    def of_fold(fold: int, run: RunDirectory) -> Pass:
        # Looked for before the first pass: missing weights must not be noticed after hours.
        path = chosen_weights(run, None, weights)
        rows = _dataset(components).rows([fold])
        return Pass(lambda: load_weights(components.runner, path), rows)

    return [of_fold(fold, fold_runs.runs[fold]) for fold in range(fold_runs.folds)]


def _dataset(components: RunComponents) -> FoldedDataset:
    dataset: Any = components.dataset
    folded: FoldedDataset = dataset
    return folded


def _of_all(config: Config) -> Config:
    """Return the config as the report shows it: of no single fold."""
    # It also joins the runs: configs that differ in their fold alone become equal.
    values = {**config.values, "train": {**config.values["train"], "fold": None}}
    return replace(config, values=values)


def _fold_runs(sweep: Path) -> list[FoldRuns]:
    """Return the finished runs of a sweep, those of one choice but for the fold together."""
    by_digest: dict[str, FoldRuns] = {}
    for job in sweep_file.read(sweep).jobs:
        run = RunDirectory(sweep / job.run)
        config = frozen_file.read(run.config, asked={})
        if config.train.folds is None or config.train.fold is None:
            continue
        digest = _of_all(config).digest
        choices = {key: value for key, value in job.choices.items() if key != FOLD}
        # Also for a run that has not finished: choices of which none has are then named as missing.
        same = by_digest.setdefault(digest, FoldRuns(choices, {}, config.train.folds, digest))
        if run.finished:
            by_digest[digest] = replace(same, runs={**same.runs, config.train.fold: run})
    return list(by_digest.values())
