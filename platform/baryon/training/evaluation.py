"""Run a model over a split: for the mean loss, or for the evaluator's answer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from baryon.data.loader import Loader
from baryon.data.sampling import Rows
from baryon.errors import BaryonError
from baryon.interfaces import Batch, Evaluation, Evaluator
from baryon.plugins.answers import checked_evaluation, require_some_number
from baryon.plugins.failures import format_failure
from baryon.terminal.progress import bar
from baryon.training.build import RunComponents
from baryon.training.model_runner import ModelRunner, each_tensor
from baryon.training.stop_request import StopRequest


class StoppedError(Exception):
    """A signal came before the evaluator had seen all samples."""


def validation_loss(components: RunComponents, loader: Loader) -> dict[str, float]:
    """Return the mean of each loss term over a split, and their sum as `loss`. Collective.

    It is the same on all workers. A mean over samples that are not finite is not finite either:
    `unusable_rows` finds them.
    """
    runner, comm = components.runner, components.comm
    sums: dict[str, float] = {"samples": 0.0}
    with inference(runner):
        for batch in loader.in_order(comm.shard):
            on_device = runner.to_device(batch)
            terms = components.loss(runner(on_device), on_device)
            count = len(batch["keys"])
            sums["samples"] += count
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value) * count
    sums = comm.all_reduce_sum(sums)
    samples = sums.pop("samples")
    means = {name: value / samples for name, value in sums.items()}
    return {"loss": sum(means.values()), **means}


def unusable_rows(components: RunComponents, loader: Loader) -> str:
    """Say which rows of a split give a loss that is not finite, and why. Collective."""
    runner, comm, cause = components.runner, components.comm, ""
    with inference(runner):
        for batch in loader.in_order(comm.shard):
            on_device = runner.to_device(batch)
            output = runner(on_device)
            terms = components.loss(output, on_device)
            if not all(torch.isfinite(term) for term in terms.values()):
                cause = _cause(batch, output)
                break
    causes = [of_worker for of_worker in comm.gather(cause) if of_worker]
    first = causes[0] if causes else "no single batch of them does"
    return str(comm.broadcast(first))


def _cause(batch: Batch, output: Any) -> str:
    """Say where a number that is not finite comes from: a field, the model, or the loss."""
    rows = f"rows {int(batch['keys'].min())} to {int(batch['keys'].max())}"
    for name in ("inputs", *batch):  # first of all the inputs
        not_finite = _not_finite(batch[name])
        if not_finite.any():
            return f"{name} of row {int(batch['keys'][not_finite][0])} is not finite"
    output_is_finite = True

    def check(tensor: torch.Tensor) -> None:
        nonlocal output_is_finite
        output_is_finite &= not _not_finite(tensor.cpu()).any()

    each_tensor(output, check)
    culprit = "the loss itself" if output_is_finite else "the model's output"
    return f"{culprit} is not finite in {rows}"


def _not_finite(values: torch.Tensor) -> torch.Tensor:
    """Return, of shape (samples,), which samples hold a number that is not finite."""
    return ~torch.isfinite(values.reshape(len(values), -1)).all(dim=1)


@dataclass(frozen=True)
class Pass:
    """A part of an evaluation: some rows of a split, and the weights that judge them.

    `prepare` puts the weights into the model; None leaves those that are there. `rows` are
    ascending; None takes all.
    """

    prepare: Callable[[], object] | None = None
    rows: Rows | None = None


def evaluate(
    components: RunComponents,
    loader: Loader,
    split: str,
    stop: StopRequest | None = None,
    passes: Sequence[Pass] = (Pass(),),
) -> Evaluation | None:
    """Return the evaluator's answer over a split on the leader, None elsewhere. Collective.

    Parameters
    ----------
    components
        Model, evaluator and communicator.
    loader
        Reads the split.
    split
        Its name, for messages.
    stop
        What has caught the signals.
    passes
        Which weights judge which rows, every row once.

    Raises
    ------
    BaryonError
        If the evaluator misses an entry in the batches, fails, or answers something that the
        contract does not know; if the model's output is NaN.
    StoppedError
        On all workers, if a signal came to one of them.

    """
    comm, owner = components.comm, components.owners["evaluator"]
    while True:
        evaluator = copy.deepcopy(components.evaluator)
        seen = _show_all_batches(components, evaluator, loader, split, stop, passes)
        if comm.all_reduce_sum({"stopped": float(_has_signal(stop))})["stopped"]:
            raise StoppedError
        with naming(f"{owner}: state() fails"):
            state = evaluator.state()
        _, *other_states = comm.gather(state) or [None]
        # If a worker died with what it had seen, the others see all samples once more.
        if comm.all_reduce_sum({"seen": seen})["seen"] == len(loader.split):
            break
    if not comm.is_leader:
        return None
    for state in other_states:
        with naming(f"{owner}: merge() fails"):
            evaluator.merge(state)
    with naming(f"{owner}: result() fails on split {split!r}"):
        answer = evaluator.result()
    evaluation = checked_evaluation(owner, answer)
    require_some_number(owner, evaluation.metrics)
    return evaluation


def _has_signal(stop: StopRequest | None) -> bool:
    # That a sweep needs no more training (`stop.asked`) does not stop an evaluation.
    return stop is not None and stop.signal is not None


def _show_all_batches(
    components: RunComponents,
    evaluator: Evaluator,
    loader: Loader,
    split: str,
    stop: StopRequest | None,
    passes: Sequence[Pass],
) -> int:
    """Show the evaluator this worker's part of a split; return the number of samples shown."""
    shard, seen = components.comm.shard, 0
    outputs = _outputs(components, loader, passes)
    with closing(outputs), bar("evaluating", len(loader.split), "samples") as advance:
        for batch, output in outputs:
            if _has_signal(stop):
                break
            _require_no_nan(output, batch, split)
            show_batch(components.owners["evaluator"], evaluator, output, batch)
            seen += len(batch["keys"])
            # The other workers are about as far: the bar is of all samples of the split.
            advance(len(batch["keys"]) * shard.num_groups * shard.group_size)
    return seen


def _outputs(
    components: RunComponents, loader: Loader, passes: Sequence[Pass]
) -> Generator[tuple[Batch, Any]]:
    """Yield this worker's batches of every pass, each with what the model says of it."""
    runner = components.runner
    for part in passes:
        if part.prepare is not None:
            part.prepare()
        with inference(runner):
            for batch in loader.in_order(components.comm.shard, part.rows):
                yield batch, runner.to_cpu(runner(runner.to_device(batch)))


def show_batch(owner: str, evaluator: Evaluator, output: Any, batch: Batch) -> None:
    """Show an evaluator one batch; raise `BaryonError`, said of `owner`, for what it raises."""
    with naming(f"{owner}: update() fails"):
        try:
            evaluator.update(output, batch)
        except KeyError as error:
            if error.args[:1] and error.args[0] in batch:
                raise  # it is a key of something else
            raise BaryonError(
                f"{owner} needs {error} in each batch, which this dataset does not give; it gives "
                f"{', '.join(batch)}: choose another evaluator"
            ) from error


def _require_no_nan(output: Any, batch: Batch, split: str) -> None:
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
    except Exception as error:  # a plugin's component may raise anything
        raise BaryonError(f"{what}: {format_failure(error)}") from error


@contextmanager
def inference(runner: ModelRunner) -> Iterator[None]:
    """Put the model into evaluation mode, without gradients, inside this context."""
    was_training = runner.model.training
    runner.model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        runner.train(was_training)
