"""Run a trained model on new files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.api.trained_config import trained_config
from baryon.config.primary import PREDICT_GROUP
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import Plugins
from baryon.runs.directory import RunDirectory, unique_name, write_json
from baryon.runs.versions import versions
from baryon.system.atomic import new_folder, require_new, stale_temporaries
from baryon.terminal.console import say, warn

if TYPE_CHECKING:
    from baryon.config.config import Config
    from baryon.plugins.components import Maker

RECORD = "prediction.json"


def predict_files(
    run: RunDirectory,
    plugins: Plugins,
    files: Sequence[str],
    overrides: Sequence[str] = (),
    *,
    out: Path | None = None,
    weights: str | None = None,
) -> Path:
    """Predict, write the predictions into a new folder, and show where.

    Parameters
    ----------
    run
        The run whose model is asked.
    plugins
        All installed plugins.
    files
        Files or globs; they need no labels.
    overrides
        `predict.<key>=<value>` for the predictor of the run's evaluator, others for the config.
    out
        The folder to make; None makes one below the run's `predictions/`.
    weights
        `"best"`, `"last"` or `"ema"`; None takes what the config says.

    Returns
    -------
    Path
        The new folder.

    Raises
    ------
    BaryonError
        If something cannot be read, or the folder exists.

    """
    of_predictor = [key for key in overrides if key.startswith(f"{PREDICT_GROUP}.")]
    of_run = [key for key in overrides if key not in of_predictor]
    config = trained_config(run, of_run, plugins)

    from baryon.api.weights import chosen_weights
    from baryon.prediction.predictor import load_predictor

    make = load_predictor(plugins, config.choices["evaluator"].name, of_predictor)
    checkpoint = chosen_weights(run, weights, config.train.weights)
    folder = _new_folder(run, out)
    record = {
        "run": str(run.path),
        "weights": checkpoint.name,
        "input": list(files),
        "options": of_predictor,
        "versions": versions(plugins),
    }
    _predict(config, plugins, make, checkpoint, folder, record)
    return folder


def _predict(
    config: Config,
    plugins: Plugins,
    make_predictor: Maker,
    weights: Path,
    out: Path,
    record: Mapping[str, Any],
) -> None:
    """Predict on all ranks; the leader writes the folder, with a record of what was predicted."""
    from baryon.api.weights import load_weights
    from baryon.prediction.opening import open_input
    from baryon.prediction.predict import predict
    from baryon.training.build import build_trained_model
    from baryon.training.consistency import distributed_run

    with (
        distributed_run(config, plugins) as comm,
        closing(build_trained_model(config, plugins)) as trained,
        closing(open_input(trained.dataset, record["input"], config, plugins)) as split,
    ):
        step = load_weights(trained.runner, weights)
        loader, predictor = trained.loader_of(split), make_predictor(split=split)
        with new_folder(out) if comm.is_leader else nullcontext(out) as folder:
            summary = predict(trained.runner, predictor, loader, comm, folder)
            if comm.is_leader:
                of_input = {"samples": len(split), "fingerprint": split.fingerprint()}
                of_model = {"summary": summary, "step": step}
                write_json(folder / RECORD, {**of_model, **record, **of_input})
        if comm.is_leader:
            _show(out, summary)


def _new_folder(run: RunDirectory, given: Path | None) -> Path:
    folder = given or run.path / "predictions" / unique_name()
    require_new(folder)
    # All ranks look whether the folder is new, one of them tells what lies beside it.
    if cluster_environment().rank == 0:
        for temporary in stale_temporaries(folder.parent, folder.name if given else "*"):
            warn(f"{temporary} is left of a prediction that was killed: you may remove it")
    return folder


def _show(out: Path, summary: str) -> None:
    say(summary)
    files = sorted(path for path in out.rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files) / 2**20
    say(f"{out}: {len(files)} files, {size:,.1f} MiB")
