"""Save a batch whose loss was not finite, with all that it takes to compute it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import nn

from baryon.interfaces import Batch, Loss, Table
from baryon.training.backward import micro_batches
from baryon.training.checkpoints import file, schema
from baryon.training.model_runner import ModelRunner, each_tensor
from baryon.training.rng import RandomState, set_random_state

FOLDER = "replay"
INPUTS = "the inputs themselves"
NO_LAYER = "no layer: the loss itself"
MOST_KEYS = 5
"""Samples that a message names."""


class Replay(TypedDict):
    """Content of a saved batch."""

    step: int
    epoch: int
    terms: dict[str, float]
    layer: str
    keys: list[int]
    batch: dict[str, torch.Tensor]
    model: dict[str, torch.Tensor]
    execution: schema.ExecutionMode
    random: schema.Random


def save(
    path: Path,
    runner: ModelRunner,
    loss: Loss,
    batch: Batch,
    *,
    step: int,
    epoch: int,
    terms: Mapping[str, float],
    random: RandomState,
    micro_batch: int | None = None,
) -> str:
    """Save a batch with the weights it was computed with, and look for the cause.

    Parameters
    ----------
    path
        The file to write.
    runner, loss
        What computed the batch.
    batch
        The batch on the device.
    step, epoch
        When that was, both counted from 1.
    terms
        The loss terms.
    random
        State of the random generators before forward.
    micro_batch
        Most samples that went through the network at once.

    Returns
    -------
    str
        What went wrong, in a few words.

    Raises
    ------
    BaryonError
        If the file cannot be written.

    """
    # With the same dropout masks the batch goes wrong in the same place.
    set_random_state(random, runner.device)
    layer, keys = culprit(runner, loss, batch, micro_batch)
    state = {
        "step": step,
        "epoch": epoch,
        "terms": dict(terms),
        "layer": layer,
        "keys": keys,
        "batch": {name: tensor.cpu() for name, tensor in batch.items()},
        "model": {name: tensor.cpu() for name, tensor in runner.model.state_dict().items()},
        "execution": runner.execution.state(),
        "random": random,
    }
    path.parent.mkdir(exist_ok=True)
    file.save(path, state)
    return f"{_bad_terms(terms)} in {layer}, {_listed(keys)}"


def saved(run: Path, step: int) -> list[Path]:
    """Return the batches of a step that were saved in a run's folder, one of each worker."""
    folder = run / FOLDER
    return sorted([*folder.glob(f"step-{step}.pt"), *folder.glob(f"step-{step}-worker-*.pt")])


def describe(path: Path) -> Table:
    """Describe a saved batch. Raises `BaryonError` if the file is damaged."""
    state = file.load(path)
    schema.require_form(path, state, Replay)
    rows: list[tuple[str, str]] = [
        ("step", str(state["step"])),
        ("epoch", str(state["epoch"])),
        ("loss terms", ", ".join(f"{name} {value:g}" for name, value in state["terms"].items())),
        ("first went wrong in", state["layer"]),
        ("samples", _listed(state["keys"], most=20)),
        ("computed in", " ".join(str(value) for value in state["execution"].values())),
    ]
    rows += [(f"batch: {name}", _statistics(tensor)) for name, tensor in state["batch"].items()]
    return Table(("what", "value"), rows, f"the batch that stopped a run ({path.name})")


def culprit(
    runner: ModelRunner, loss: Loss, batch: Batch, micro_batch: int | None = None
) -> tuple[str, list[int]]:
    """Compute a batch once more, in the same parts, and find where it first goes wrong.

    Returns
    -------
    layer : str
        Name of the first layer that makes infinities or NaN of finite values.
    keys : list of int
        Keys of the samples that are concerned; empty if none of them is, taken alone.

    """
    layers: list[str] = []
    keys: list[int] = []
    # In the parts of the training: they fit into memory, and draw the same random numbers.
    with torch.no_grad(), _watching_layers(runner.model, layers):
        for part in micro_batches(batch, micro_batch):
            output = runner(part, eager=True)
            bad = _bad_rows(loss, output, part)
            keys += part["keys"][bad.to(part["keys"].device)].tolist()
    layer = next(iter(layers), NO_LAYER) if _is_finite(batch["inputs"]) else INPUTS
    return layer, keys


def _bad_rows(loss: Loss, output: Any, batch: Batch) -> torch.Tensor:
    """Return which samples have inputs, outputs, or taken alone a loss that is not finite."""
    bad = ~_finite_rows(batch["inputs"])
    each_tensor(output, lambda tensor: bad.logical_or_(~_finite_rows(tensor, len(bad))))
    # Row by row only if need be: it is one call of the loss for each sample.
    return bad if bad.any() else _bad_alone(loss, output, batch)


@contextmanager
def _watching_layers(model: nn.Module, names: list[str]) -> Iterator[None]:
    """Add to `names`, as forward goes, the layers that make bad values of finite ones."""

    def hook(name: str) -> Any:
        def check(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            del module
            tensors = [value for value in inputs if isinstance(value, torch.Tensor)]
            is_bad = isinstance(output, torch.Tensor) and not _is_finite(output)
            if is_bad and all(map(_is_finite, tensors)):
                names.append(name)

        return check

    # A module around others would be named as well, though one of these is the cause.
    leaves = [(name, m) for name, m in model.named_modules() if not list(m.children())]
    handles = [module.register_forward_hook(hook(name)) for name, module in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _bad_alone(loss: Loss, output: Any, batch: Batch) -> torch.Tensor:
    """Return, of a finite output, which samples have a loss that is not finite, taken alone."""
    count = len(batch["keys"])
    bad = torch.zeros(count, dtype=torch.bool, device=batch["inputs"].device)
    for number in range(count):
        row = slice(number, number + 1)
        output_of_row = each_tensor(output, itemgetter(row))
        terms = loss(output_of_row, {name: tensor[row] for name, tensor in batch.items()})
        bad[number] = not all(_is_finite(term) for term in terms.values())
    return bad


def _is_finite(tensor: torch.Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _finite_rows(tensor: torch.Tensor, rows: int | None = None) -> torch.Tensor:
    """Return which samples are finite; all, of a tensor that is not made of `rows` samples."""
    if rows is not None and (not tensor.dim() or len(tensor) != rows):
        return torch.ones(rows, dtype=torch.bool, device=tensor.device)
    return torch.isfinite(tensor).flatten(1).all(dim=1) if tensor.dim() > 1 else tensor.isfinite()


def _bad_terms(terms: Mapping[str, float]) -> str:
    bad = [f"{name} {value:g}" for name, value in terms.items() if value - value != 0]
    return "loss term " + ", ".join(bad)


def _listed(keys: list[int], most: int = MOST_KEYS) -> str:
    if not keys:
        return "all samples together"
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return f"{'sample' if len(keys) == 1 else 'samples'} {', '.join(map(str, keys[:most]))}{more}"


def _statistics(tensor: torch.Tensor) -> str:
    """Write shape, type, and range of the finite values."""
    values = tensor.float() if not tensor.is_floating_point() else tensor
    finite = values[torch.isfinite(values)]
    span = f"{finite.min():g} to {finite.max():g}" if len(finite) else "nothing finite"
    others = values.numel() - len(finite)
    tail = f", {others} not finite" if others else ""
    return f"{tuple(tensor.shape)} {tensor.dtype}, {span}{tail}"
