"""A batch whose loss was not finite: where it went wrong, and all it takes to do it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import nn

from baryon.interfaces import Batch, Loss, Table
from baryon.training.checkpoints import file, schema
from baryon.training.model_runner import ModelRunner, each_tensor
from baryon.training.rng import Random, set_random

FOLDER = "replay"
INPUTS = "the inputs themselves"
NO_LAYER = "no layer: the loss itself"
NAMED = 5


class Replay(TypedDict):
    """What such a file holds."""

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
    random: Random,
) -> str:
    """Save the batch with the weights that it met, and say in a few words what went wrong.

    `random` is the generators' state before forward. Raises `BaryonError` if it cannot be written.
    """
    set_random(random, runner.device)
    layer, keys = culprit(runner, loss, batch)
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
    return f"{_bad(terms)} in {layer}, {_some(keys)}"


def saved(run: Path, step: int) -> list[Path]:
    """The batches of a step whose loss was not finite; of each worker its own."""
    folder = run / FOLDER
    return sorted([*folder.glob(f"step-{step}.pt"), *folder.glob(f"step-{step}-worker-*.pt")])


def describe(path: Path) -> Table:
    """What a saved batch holds. Raises `BaryonError` if it is damaged."""
    state = file.load(path)
    schema.require_form(path, state, Replay)
    rows: list[tuple[str, str]] = [
        ("step", str(state["step"])),
        ("epoch", str(state["epoch"])),
        ("loss terms", ", ".join(f"{name} {value:g}" for name, value in state["terms"].items())),
        ("first went wrong in", state["layer"]),
        ("samples", _some(state["keys"], most=20)),
        ("computed in", " ".join(str(value) for value in state["execution"].values())),
    ]
    rows += [(f"batch: {name}", _shape(tensor)) for name, tensor in state["batch"].items()]
    return Table(("what", "value"), rows, f"the batch that stopped a run ({path.name})")


def culprit(runner: ModelRunner, loss: Loss, batch: Batch) -> tuple[str, list[int]]:
    """The first layer that makes infinities or NaN of finite values, and the samples' keys."""
    made_here: list[str] = []
    with torch.no_grad(), _watching(runner.model, made_here):
        output = runner(batch, eager=True)
        layer = INPUTS if not _finite(batch["inputs"]) else next(iter(made_here), NO_LAYER)
        bad = ~_finite_rows(batch["inputs"])
        each_tensor(output, lambda tensor: bad.logical_or_(~_finite_rows(tensor, len(bad))))
        if not bad.any():
            bad = _bad_alone(loss, output, batch)
    return layer, batch["keys"][bad.to(batch["keys"].device)].tolist()


@contextmanager
def _watching(model: nn.Module, found: list[str]) -> Iterator[None]:
    def hook(name: str) -> Any:
        def look(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            del module
            ours = [x for x in inputs if isinstance(x, torch.Tensor)]
            if isinstance(output, torch.Tensor) and not _finite(output) and all(map(_finite, ours)):
                found.append(name)

        return look

    leaves = [(name, m) for name, m in model.named_modules() if not list(m.children())]
    handles = [module.register_forward_hook(hook(name)) for name, module in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _bad_alone(loss: Loss, output: Any, batch: Batch) -> torch.Tensor:
    """Where the output is finite: the samples whose loss, taken alone, is not."""
    count = len(batch["keys"])
    bad = torch.zeros(count, dtype=torch.bool, device=batch["inputs"].device)
    for n in range(count):
        row = slice(n, n + 1)
        alone = each_tensor(output, itemgetter(row))
        terms = loss(alone, {name: tensor[row] for name, tensor in batch.items()})
        bad[n] = not all(_finite(term) for term in terms.values())
    return bad


def _finite(tensor: torch.Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _finite_rows(tensor: torch.Tensor, rows: int | None = None) -> torch.Tensor:
    """Of each sample; of an output that is not made of samples, nothing is known."""
    if rows is not None and (not tensor.dim() or len(tensor) != rows):
        return torch.ones(rows, dtype=torch.bool, device=tensor.device)
    return torch.isfinite(tensor).flatten(1).all(dim=1) if tensor.dim() > 1 else tensor.isfinite()


def _bad(terms: Mapping[str, float]) -> str:
    wrong = [f"{name} {value:g}" for name, value in terms.items() if value - value != 0]
    return "loss term " + ", ".join(wrong)


def _some(keys: list[int], most: int = NAMED) -> str:
    if not keys:
        return "all samples together"
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return f"{'sample' if len(keys) == 1 else 'samples'} {', '.join(map(str, keys[:most]))}{more}"


def _shape(tensor: torch.Tensor) -> str:
    values = tensor.float() if not tensor.is_floating_point() else tensor
    finite = values[torch.isfinite(values)]
    reach = f"{finite.min():g} to {finite.max():g}" if len(finite) else "nothing finite"
    wrong = values.numel() - len(finite)
    tail = f", {wrong} not finite" if wrong else ""
    return f"{tuple(tensor.shape)} {tensor.dtype}, {reach}{tail}"
