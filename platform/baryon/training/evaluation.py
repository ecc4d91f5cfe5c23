"""Run a model over a split: the mean loss, or the evaluator's answer."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from baryon.data.loader import Loader
from baryon.errors import BaryonError, format_error
from baryon.interfaces import Batch, Evaluation, Evaluator
from baryon.plugins.answers import checked_evaluation, require_some_number
from baryon.terminal.progress import bar
from baryon.training.build import RunComponents
from baryon.training.model_runner import ModelRunner, each_tensor
from baryon.training.stop_request import StopRequest


def validation_loss(components: RunComponents, loader: Loader) -> dict[str, float]:
    """Mean of every loss term over a split, and their sum as `loss`; the same on all workers.

    What is not finite stays in it: `unusable_rows` says where that comes from. Collective.
    """
    runner, comm = components.runner, components.comm
    sums: dict[str, float] = {"samples": 0.0}
    with inference(runner):
        for batch in loader.in_order(comm.shard):
            here = runner.to_device(batch)
            terms = components.loss(runner(here), here)
            count = len(batch["keys"])
            sums["samples"] += count
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value) * count
    agreed = comm.all_reduce_sum(sums)
    total = agreed.pop("samples")
    means = {name: value / total for name, value in agreed.items()}
    return {"loss": sum(means.values()), **means}


def unusable_rows(components: RunComponents, loader: Loader) -> str:
    """Say which rows of a split give a loss that is not finite, and what of them. Collective."""
    runner, comm, cause = components.runner, components.comm, ""
    with inference(runner):
        for batch in loader.in_order(comm.shard):
            here = runner.to_device(batch)
            output = runner(here)
            if all(torch.isfinite(term) for term in components.loss(output, here).values()):
                continue
            cause = _cause(batch, output)
            break
    causes = [one for one in comm.gather(cause) if one]
    first = causes[0] if causes else "no single batch of them does"
    return str(comm.broadcast(first))


def _cause(batch: Batch, output: Any) -> str:
    rows = f"rows {int(batch['keys'].min())} to {int(batch['keys'].max())}"
    for name in ("inputs", *batch):
        wrong = _not_finite(batch[name])
        if wrong.any():
            return f"{name} of row {int(batch['keys'][wrong][0])} is not finite"
    wrong_output = False

    def look(tensor: torch.Tensor) -> None:
        nonlocal wrong_output
        wrong_output |= bool(_not_finite(tensor.cpu()).any())

    each_tensor(output, look)
    whose = "the model's output" if wrong_output else "the loss itself"
    return f"{whose} is not finite in {rows}"


def _not_finite(values: torch.Tensor) -> torch.Tensor:
    """(N,) whether a sample holds a number that is not finite."""
    return ~torch.isfinite(values.reshape(len(values), -1)).all(dim=1)


class StoppedError(Exception):
    """A signal came before all samples were seen."""


def evaluate(
    components: RunComponents, loader: Loader, split: str, stop: StopRequest | None = None
) -> Evaluation | None:
    """The evaluator's answer over a split on the leader, None elsewhere.

    Raises `StoppedError` on all workers if one of them was asked to `stop` by a signal.
    Raises `BaryonError` if the evaluator finds an entry missing in the batches, fails, or answers
    what the contract does not know; if the model's output is NaN.
    """
    comm, owner = components.comm, components.owners["evaluator"]
    while True:
        evaluator = copy.deepcopy(components.evaluator)
        seen = _take_in(components, evaluator, loader, split, stop)
        if comm.all_reduce_sum({"stopped": float(_signalled(stop))})["stopped"]:
            raise StoppedError
        with naming(f"{owner}: state() fails"):
            state = evaluator.state()
        _, *others = comm.gather(state) or [None]
        if comm.all_reduce_sum({"seen": seen})["seen"] == len(loader.split):
            break  # else a worker died with what it had seen: the others see all of it again
    if not comm.is_leader:
        return None
    for state in others:
        with naming(f"{owner}: merge() fails"):
            evaluator.merge(state)
    with naming(f"{owner}: result() fails on split {split!r}"):
        answer = evaluator.result()
    evaluation = checked_evaluation(owner, answer)
    require_some_number(owner, evaluation.metrics)
    return evaluation


def _signalled(stop: StopRequest | None) -> bool:
    """Whether a signal came; that a sweep needs no more training does not stop an evaluation."""
    return stop is not None and stop.signal is not None


def _take_in(
    components: RunComponents,
    evaluator: Evaluator,
    loader: Loader,
    split: str,
    stop: StopRequest | None,
) -> int:
    """Show the evaluator this worker's share; the number of its samples."""
    runner, shard, seen = components.runner, components.comm.shard, 0
    with inference(runner), bar("evaluating", len(loader.split), "samples") as advance:
        for batch in loader.in_order(shard):
            if _signalled(stop):
                break
            output = runner.to_cpu(runner(runner.to_device(batch)))
            _require_numbers(output, batch, split)
            take_in(components.owners["evaluator"], evaluator, output, batch)
            seen += len(batch["keys"])
            advance(len(batch["keys"]) * shard.num_groups * shard.group_size)
    return seen


def take_in(owner: str, evaluator: Evaluator, output: Any, batch: Batch) -> None:
    """Show an evaluator one batch. Raises `BaryonError`, said of `owner`, for what it raises."""
    with naming(f"{owner}: update() fails"):
        try:
            evaluator.update(output, batch)
        except KeyError as error:
            if error.args[:1] and error.args[0] in batch:
                raise
            raise BaryonError(
                f"{owner} needs {error} in each batch, which this dataset does not give; it gives "
                f"{', '.join(batch)}: choose another evaluator"
            ) from error


def _require_numbers(output: Any, batch: Batch, split: str) -> None:
    def require(tensor: torch.Tensor) -> None:
        if torch.isnan(tensor).any():
            raise BaryonError(
                f"the model's output is NaN on split {split!r}: {_cause(batch, output)}; look at "
                "the data, and `baryon evaluate` the run again"
            )

    each_tensor(output, require)


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Turn whatever a plugin's component raises into a `BaryonError` that begins with `what`."""
    try:
        yield
    except BaryonError:
        raise
    except Exception as error:  # a stranger's component may raise anything
        raise BaryonError(f"{what}: {format_error(error)}") from error


@contextmanager
def inference(runner: ModelRunner) -> Iterator[None]:
    """Within it the model evaluates, and no gradients are prepared."""
    was_training = runner.model.training
    runner.model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        runner.model.train(was_training)
