"""Run a model over a split: the mean loss, or the evaluator's answer."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from baryon.data.loader import Loader
from baryon.errors import BaryonError
from baryon.interfaces import Communicator, Evaluation, Evaluator, Loss
from baryon.reporting.progress import bar
from baryon.training.network import Network


def validation_loss(
    network: Network, loss: Loss, loader: Loader, comm: Communicator
) -> dict[str, float]:
    """Mean of every loss term over a split, and their sum as `loss`; the same on all workers."""
    sums: dict[str, float] = {"samples": 0.0}
    with _inference(network):
        for batch in loader.in_order(comm.share):
            here = network.to_device(batch)
            terms = loss(network(here), here)
            count = len(batch["keys"])
            sums["samples"] += count
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value) * count
    agreed = comm.agree(sums)
    total = agreed.pop("samples")
    means = {name: value / total for name, value in agreed.items()}
    return {"loss": sum(means.values()), **means}


def evaluate(
    network: Network, evaluator: Evaluator, loader: Loader, comm: Communicator
) -> Evaluation | None:
    """The evaluator's answer over a split on the leader, None elsewhere.

    Raises `BaryonError` if the evaluator finds an entry missing in the batches.
    """
    while True:
        fresh = copy.deepcopy(evaluator)
        seen = _take_in(network, fresh, loader, comm)
        _, *others = comm.gather(fresh.state()) or [None]
        if comm.agree({"seen": seen})["seen"] == len(loader.split):
            break  # else a worker died with what it had seen: the others see all of it again
    if not comm.leads:
        return None
    for state in others:
        fresh.merge(state)
    return fresh.result()


def _take_in(network: Network, evaluator: Evaluator, loader: Loader, comm: Communicator) -> int:
    """Show the evaluator this worker's share; the number of its samples."""
    seen = 0
    with _inference(network), bar("evaluating", len(loader.split), "samples") as advance:
        for batch in loader.in_order(comm.share):
            output = network(network.to_device(batch))
            try:
                evaluator.update(network.to_cpu(output), batch)
            except KeyError as error:
                raise BaryonError(
                    f"{type(evaluator).__name__} needs {error} in each batch, which this dataset "
                    f"does not give; it gives {', '.join(batch)}: choose another evaluator"
                ) from error
            seen += len(batch["keys"])
            advance(len(batch["keys"]) * comm.share.groups * comm.share.members)
    return seen


@contextmanager
def _inference(network: Network) -> Iterator[None]:
    was_training = network.model.training
    network.model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.model.train(was_training)
