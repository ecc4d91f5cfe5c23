"""Write a run's model as a file for other programs."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.api.loading import ON_CPU
from baryon.commands.arguments import Arguments
from baryon.config import frozen_file
from baryon.errors import BaryonError
from baryon.export.format_names import SUFFIXES
from baryon.plugins.registry import checked_plugins
from baryon.runs import directory as run_directory
from baryon.runs.versions import versions
from baryon.system.atomic import new_file, require_new, stale_temporaries
from baryon.terminal.console import say, warn

if TYPE_CHECKING:
    import torch

    from baryon.interfaces import Normalisation, Split
    from baryon.plugins.components import Choice
    from baryon.runs.directory import RunDirectory
    from baryon.training.build import TrainedModel

FEWEST, MOST, MOST_BYTES = 2, 8, 64 * 2**20
"""Samples that are compared: fewer where they are large."""


def run(arguments: Arguments) -> int:
    """Load the frozen config and the weights, write, compare, and only then keep the file."""
    directory = run_directory.find(arguments["run"])
    plugins = checked_plugins()
    overrides = [*arguments.overrides, *ON_CPU]
    config = frozen_file.read(directory.config, overrides, plugins)
    choice = config.choices["model"]
    # A file that cannot be written is said before the seconds that the model takes.
    path = _new_path(arguments, directory, choice.name)

    from baryon.api.weights import chosen_weights
    from baryon.training.build import build_trained_model
    from baryon.training.checkpoints import schema
    from baryon.training.checkpoints.weights import put_weights

    weights = chosen_weights(directory, arguments["weights"], config.train.weights)
    with closing(build_trained_model(config, plugins)) as trained:
        state = schema.read_weights(weights)
        put_weights(trained.runner.model, state, weights)
        origin = _origin(directory.path, weights.name, state["step"], versions(plugins))
        deviation = _export(trained, choice, origin, arguments["format"], path)
    say(f"{path}: {path.stat().st_size / 2**20:,.1f} MiB; {deviation}")
    return 0


def _new_path(arguments: Arguments, directory: RunDirectory, model: str) -> Path:
    """Return where the file goes. Raises `BaryonError` for a name that cannot be."""
    suffix = SUFFIXES[arguments["format"]]
    path = Path(arguments["out"] or directory.path / "exports" / f"{model}.{suffix}")
    if path.suffix != f".{suffix}":
        raise BaryonError(f"out={path}: the name of a {arguments['format']} file ends in .{suffix}")
    require_new(path)
    for temporary in stale_temporaries(path.parent, path.name):
        warn(f"{temporary} is left of an export that was killed: you may remove it")
    return path


def _export(
    trained: TrainedModel, choice: Choice, origin: dict[str, Any], form: str, path: Path
) -> str:
    """Write the file, compare it with the model, and return how near it comes as a sentence."""
    import torch

    from baryon.export import parity
    from baryon.export.description import describe
    from baryon.export.exported_model import Exported, named
    from baryon.export.formats import FORMATS
    from baryon.training.build import TRAIN

    model = trained.runner.model.eval()
    split = trained.evaluation_split
    normalisation, inputs, raw = _samples(trained.dataset.splits[split], choice.name)
    exported = Exported(model, normalisation, inputs.dim() - 1)
    with torch.inference_mode():
        outputs = named(exported(raw[:1]))
    shapes = {name: tuple(value.shape[1:]) for name, value in outputs.items()}
    fields = trained.dataset.splits[TRAIN].fields
    description = describe(choice, fields, normalisation, shapes, origin)
    with new_file(path) as temporary:
        FORMATS[form].write(exported, description, raw[:2], temporary)
        file = FORMATS[form].load(temporary)
        # Compared before it gets its name: a file that computes something else never appears.
        worst = parity.check(model, file, inputs, raw, f"the {form} file")
    return (
        f"on {len(raw)} samples of split {split} it deviates by {worst:.1e} of the "
        f"largest output at most (allowed: {parity.TOLERANCE:.0e})"
    )


def _samples(split: Split, model: str) -> tuple[Normalisation | None, torch.Tensor, torch.Tensor]:
    """Return what the split does to its values, some of its inputs, and the values behind them."""
    import numpy as np
    import torch

    from baryon.data.decoding import sample_bytes

    affordable = MOST_BYTES // sample_bytes(split)
    count = min(max(FEWEST, min(MOST, affordable)), len(split))
    inputs = np.asarray(split.read(0, count)["inputs"])
    normalisation = split.normalisation()
    raw = inputs if normalisation is None else split.raw(0, count)
    if normalisation is None:
        warn(f"the dataset tells no normalisation: {model} is exported for inputs as it reads them")
    if count == 1:  # an exported program is traced with two samples: their number may then vary
        inputs, raw = np.repeat(inputs, 2, axis=0), np.repeat(raw, 2, axis=0)
    return normalisation, torch.from_numpy(inputs), torch.from_numpy(np.ascontiguousarray(raw))


def _origin(run: Path, weights: str, step: int, software: dict[str, Any]) -> dict[str, Any]:
    shown = {key: software[key] for key in ("baryon", "plugins", "libraries")}
    return {"run": run.name, "weights": weights, "step": step, "versions": shown}
