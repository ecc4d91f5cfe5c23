"""`baryon predict run=<dir> input=<files>`: what a run's model makes of new files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.commands.arguments import HELP_FLAGS, split_arguments
from baryon.commands.options_help import options_help
from baryon.config import config as configs
from baryon.errors import BaryonError
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import Plugins, discover
from baryon.runs import directory as run_directory
from baryon.runs.directory import RunDirectory, write_json
from baryon.runs.versions import versions
from baryon.system.atomic import new_folder, require_new, stale_temporaries
from baryon.terminal.console import say, warn

if TYPE_CHECKING:
    from baryon.interfaces import Split

USAGE = """\
usage: baryon predict run=<dir> input=<files> [out=<dir>] [weights=best|last]
                      [predict.key=value] [key=value]

Run a model over new files, which need no labels, and write what it says into a new folder,
<dir>/predictions/<time> unless `out` names it. `input` is a file, a glob, or several with commas
between them. `predict.` keys are those of the predictor of the run's evaluator, others the run's.

  baryon predict run=runs/latest input='new/*.h5'
  baryon predict run=runs/latest input=a.h5,b.h5 out=scores predict.formats=[csv]
  mpiexec -n 4 baryon predict run=runs/latest input='new/*.h5' train.batch_size=256
"""
RECORD = "prediction.json"


def run(arguments: Sequence[str]) -> int:
    """Load config and weights, open the files, predict, write and show."""
    plugins = discover()
    if not arguments or any(argument in HELP_FLAGS for argument in arguments):
        options_help(USAGE, plugins, groups=(configs.PREDICT,))
        return 0 if arguments else 2
    plugins.check()
    own, others = split_arguments(arguments, ("run", "input"), ("out", "weights"))
    directory = run_directory.find(own["run"])
    name = "serial" if cluster_environment().ranks == 1 else "sync"  # however it was trained
    theirs = [argument for argument in others if argument.startswith(f"{configs.PREDICT}.")]
    overrides = [argument for argument in others if argument not in theirs]
    config = configs.read(directory.config, [f"comm={name}", *overrides], plugins)

    from baryon.commands.run_weights import chosen_weights
    from baryon.prediction.opening import open_input
    from baryon.prediction.predict import predict
    from baryon.prediction.predictor import load_predictor
    from baryon.training.build import build_trained_model
    from baryon.training.checkpoints import schema
    from baryon.training.checkpoints.weights import put_weights
    from baryon.training.consistency import distributed_run
    from baryon.training.model_runner import use_saved_mode

    make = load_predictor(plugins, config.choices["evaluator"].name, theirs)
    weights = chosen_weights(directory, own.get("weights"), config.train.weights)
    files, out = _files(own["input"]), _out(directory, own.get("out"))
    with (
        distributed_run(config, plugins) as comm,
        closing(build_trained_model(config, plugins)) as trained,
        closing(open_input(trained.dataset, files, config, plugins)) as split,
    ):
        state = schema.read_weights(weights)
        use_saved_mode(trained.runner, state)
        put_weights(trained.runner.model, state, weights)
        loader, predictor = trained.loader_of(split), make(split=split)
        with new_folder(out) if comm.is_leader else nullcontext(out) as folder:
            said = predict(trained.runner, predictor, loader, comm, folder)
            if comm.is_leader:
                record = _record(directory, weights, state["step"], files, split, plugins)
                write_json(folder / RECORD, {"summary": said, "options": theirs, **record})
        if comm.is_leader:
            _show(out, said)
    return 0


def _files(given: str) -> list[str]:
    files = [one.strip() for one in given.removeprefix("[").removesuffix("]").split(",")]
    if not all(files):
        raise BaryonError(f"input={given} must be files with commas between them")
    return files


def _out(directory: RunDirectory, given: str | None) -> Path:
    out = Path(given) if given else directory.path / "predictions" / configs.unique_name()
    require_new(out)
    if cluster_environment().rank == 0:
        for left in stale_temporaries(out.parent, out.name if given else "*"):
            warn(f"{left} holds what was predicted before a process was killed: you may remove it")
    return out


def _record(
    run: RunDirectory,
    weights: Path,
    step: int,
    files: Sequence[str],
    split: Split,
    plugins: Plugins,
) -> dict[str, Any]:
    """What was predicted by what."""
    return {
        "run": str(run.path),
        "weights": weights.name,
        "step": step,
        "input": list(files),
        "samples": len(split),
        "fingerprint": split.fingerprint(),
        "versions": versions(plugins),
    }


def _show(out: Path, said: str) -> None:
    say(said)
    files = sorted(path for path in out.rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files) / 2**20
    say(f"{out}: {len(files)} files, {size:,.1f} MiB")
