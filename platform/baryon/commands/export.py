"""`baryon export run=<dir> format=<format>`: a run's model for other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.commands.arguments import HELP_FLAGS, split_arguments
from baryon.config import config as configs
from baryon.errors import BaryonError, did_you_mean
from baryon.plugins.registry import discover
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

USAGE = """\
usage: baryon export run=<dir> format=safetensors|torch|onnx [out=<file>]
                     [weights=best|last] [key=value]

Write a run's model as one file, which takes the values that the data's files hold: normalising them
is part of it. What it computes is compared with the run's model on samples of the run's data.

  safetensors  the weights, and how to build the model: for Baryon and for whoever reads weights
  torch        a program of torch.export (.pt2): for PyTorch without Baryon, from Python or C++
  onnx         for ONNX Runtime and others: pip install 'baryon[onnx]'

  baryon export run=runs/latest format=onnx
  baryon export run=runs/latest format=torch weights=last out=cyclones.pt2
"""
AS_IT_IS = (
    "comm=serial",
    "train.device=cpu",
    "train.precision=fp32",
    "train.activation_checkpointing=false",
)
"""How the model is computed here, however it was trained."""
FEWEST, MOST, MOST_BYTES = 2, 8, 64 * 2**20
"""Samples that are compared: fewer where they are large."""


def run(arguments: Sequence[str]) -> int:
    """Load the frozen config and the weights, write, compare, and only then keep the file."""
    if not arguments or any(argument in HELP_FLAGS for argument in arguments):
        say(USAGE)
        return 0 if arguments else 2
    own, overrides = split_arguments(arguments, ("run", "format"), ("out", "weights"))
    directory = run_directory.find(own["run"])
    plugins = discover()
    plugins.check()
    config = configs.read(directory.config, [*overrides, *AS_IT_IS], plugins)

    choice = config.choices["model"]
    path = _new_path(own, directory, choice.name)

    from baryon.commands.run_weights import chosen_weights
    from baryon.training.build import build_trained_model
    from baryon.training.checkpoints import schema
    from baryon.training.checkpoints.weights import put_weights

    weights = chosen_weights(directory, own.get("weights"), config.train.weights)
    with closing(build_trained_model(config, plugins)) as trained:
        state = schema.read_weights(weights)
        put_weights(trained.runner.model, state, weights)
        origin = _origin(directory.path, weights.name, state["step"], versions(plugins))
        told = _export(trained, choice, origin, own["format"], path)
    say(f"{path}: {path.stat().st_size / 2**20:,.1f} MiB; {told}")
    return 0


def _new_path(own: Mapping[str, str], directory: RunDirectory, model: str) -> Path:
    """Where the file goes. Raises `BaryonError` for a format or a name that cannot be."""
    from baryon.export.formats import FORMATS

    if own["format"] not in FORMATS:
        raise BaryonError(
            f"format={own['format']} is not known; {did_you_mean(FORMATS, own['format'])}"
        )
    suffix = FORMATS[own["format"]].suffix
    path = Path(own.get("out") or directory.path / "exports" / f"{model}.{suffix}")
    if path.suffix != f".{suffix}":
        raise BaryonError(f"out={path}: the name of a {own['format']} file ends in .{suffix}")
    require_new(path)
    for left in stale_temporaries(path.parent, path.name):
        warn(f"{left} is left of an export that was killed: you may remove it")
    return path


def _export(
    trained: TrainedModel, choice: Choice, origin: dict[str, Any], form: str, path: Path
) -> str:
    """Write the file, compare it with the model, and say how near it comes."""
    import torch

    from baryon.export import parity
    from baryon.export.description import describe
    from baryon.export.exported_model import Exported, named
    from baryon.export.formats import FORMATS
    from baryon.training.build import TRAIN

    model = trained.runner.model.eval()
    normalisation, inputs, raw = _samples(trained.dataset.splits[trained.held_out], choice.name)
    exported = Exported(model, normalisation, inputs.dim() - 1)
    with torch.inference_mode():
        outputs = named(exported(raw[:1]))
    shapes = {name: tuple(value.shape[1:]) for name, value in outputs.items()}
    fields = trained.dataset.splits[TRAIN].fields
    description = describe(choice, fields, normalisation, shapes, origin)
    with new_file(path) as temporary:
        FORMATS[form].write(exported, description, raw[:2], temporary)
        file = FORMATS[form].load(temporary)
        worst = parity.check(model, file, inputs, raw, f"the {form} file")
    return (
        f"on {len(raw)} samples of split {trained.held_out} it deviates by {worst:.1e} of the "
        f"largest output at most (allowed: {parity.TOLERANCE:.0e})"
    )


def _samples(split: Split, model: str) -> tuple[Normalisation | None, torch.Tensor, torch.Tensor]:
    """What the split does to its values; some inputs, two at least, and the values behind them."""
    import numpy as np
    import torch

    from baryon.data.decoding import sample_bytes

    room = MOST_BYTES // sample_bytes(split)
    count = min(max(FEWEST, min(MOST, room)), len(split))
    inputs = np.asarray(split.read(0, count)["inputs"])
    normalisation = split.normalisation()
    raw = inputs if normalisation is None else split.raw(0, count)
    if normalisation is None:
        warn(f"the dataset tells no normalisation: {model} is exported for inputs as it reads them")
    if count == 1:
        inputs, raw = np.repeat(inputs, 2, axis=0), np.repeat(raw, 2, axis=0)
    return normalisation, torch.from_numpy(inputs), torch.from_numpy(np.ascontiguousarray(raw))


def _origin(run: Path, weights: str, step: int, software: dict[str, Any]) -> dict[str, Any]:
    told = {key: software[key] for key in ("baryon", "plugins", "libraries")}
    return {"run": run.name, "weights": weights, "step": step, "versions": told}
