"""Compute forward and backward of one worker's part of a batch, in micro-batches if need be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import torch

from baryon.interfaces import Batch, Loss
from baryon.training.autotune.activation_checkpointing import without_checkpointing
from baryon.training.metrics.flop_count import Operations, counting
from baryon.training.metrics.stopwatch import BACKWARD, FORWARD, Stopwatch
from baryon.training.model_runner import ModelRunner

Terms: TypeAlias = dict[str, torch.Tensor]
Gradients: TypeAlias = list[torch.Tensor | None]
"""One gradient for each parameter that is trained; None where the loss does not depend on it."""


class NotFiniteError(Exception):
    """A loss is NaN or infinite; the weights have not been changed yet."""

    def __init__(self, terms: Mapping[str, torch.Tensor]) -> None:
        super().__init__("the loss is not finite")
        self.terms = {name: float(term.detach()) for name, term in terms.items()}


@dataclass(frozen=True)
class ForwardPass:
    """The result of `Gradient.forward`, which `Gradient.backward` goes on with.

    Attributes
    ----------
    terms : loss terms of the last micro-batch, attached to the autograd graph
    is_finite : tells whether they are finite; on a GPU the call waits for forward
    gradients : sums over the earlier micro-batches; None if there were none
    earlier_terms : sums of the loss terms of the earlier micro-batches

    """

    terms: Terms
    is_finite: Callable[[], bool]
    gradients: Gradients | None
    earlier_terms: Terms


class Gradient:
    """Computes the mean gradient of a batch's samples, in as many micro-batches as needed.

    Only the backward of the last micro-batch touches `parameter.grad`: a communicator whose hooks
    let gradients leave as they come sees each parameter once, with its complete gradient.
    """

    def __init__(
        self, runner: ModelRunner, loss: Loss, stopwatch: Stopwatch, *, skips: bool
    ) -> None:
        """With `skips`, forward already raises for a loss that is not finite."""
        self.micro_batch: int | None = None
        # What is compiled hides its operations from a counter; set while they are counted.
        self.eager = False
        self._network, self._loss, self._stopwatch, self._skips = runner, loss, stopwatch, skips
        self._parameters = [p for p in runner.model.parameters() if p.requires_grad]

    def compute(self, batch: Batch) -> Terms:
        """Compute forward and backward at once, without a communicator in between."""
        return self.backward(self.forward(batch))

    def forward(self, batch: Batch) -> ForwardPass:
        """Run the network and the loss on a batch, and backward on all but its last micro-batch.

        `parameter.grad` is not touched.

        Raises
        ------
        NotFiniteError
            If the loss of an earlier micro-batch is not finite; with `skips` also of the last one.

        """
        self._network.begin_step()
        count = len(batch["keys"])
        *earlier, last = micro_batches(batch, self.micro_batch)
        gradients: Gradients | None = None
        total_terms: Terms = {}
        for micro_batch in earlier:
            terms = self._forward(micro_batch, len(micro_batch["keys"]) / count)
            _require(_finite(terms), terms)
            self._stopwatch.switch(BACKWARD)
            gradients = _added(gradients, self._gradients(terms))
            total_terms = _sum(total_terms, terms)
        # The earlier gradients come from `torch.autograd.grad`, into a buffer that becomes `.grad`
        # just before the last backward: hooks of a communicator see each parameter once, complete.
        terms = self._forward(last, len(last["keys"]) / count)
        finite = _finite(terms)
        if self._skips:
            _require(finite, terms)
        return ForwardPass(terms, finite, gradients, total_terms)

    def backward(self, forward: ForwardPass) -> Terms:
        """Put the mean gradient of the batch into `parameter.grad`.

        Returns
        -------
        dict of str to torch.Tensor
            The loss terms, means over the samples of the batch.

        Raises
        ------
        NotFiniteError
            If the loss is not finite (without `skips`). It is raised after backward, so that a GPU
            need not wait for forward before backward is queued.

        """
        self._stopwatch.switch(BACKWARD)
        if forward.gradients is not None:
            for parameter, gradient in zip(self._parameters, forward.gradients, strict=True):
                parameter.grad = gradient
        _total(forward.terms).backward()  # type: ignore[no-untyped-call]
        _require(forward.is_finite, forward.terms)
        return _sum(forward.earlier_terms, forward.terms)

    def operations_of(self, batch: Batch) -> Operations:
        """Count the operations of one sample, without touching gradients or random numbers."""
        sample = {name: tensor[:1] for name, tensor in batch.items()}
        devices = [self._network.device] if self._network.device.type == "cuda" else []

        def work() -> None:
            terms = self._loss(self._network(sample, eager=True), sample)
            self._gradients(dict(terms))

        with torch.random.fork_rng(devices), without_checkpointing(self._network.model):
            return counting(work, 1)[1]

    def _forward(self, micro_batch: Batch, weight: float) -> Terms:
        self._stopwatch.switch(FORWARD)
        terms = self._loss(self._network(micro_batch, eager=self.eager), micro_batch)
        return {name: term if weight == 1 else term * weight for name, term in terms.items()}

    def _gradients(self, terms: Terms) -> Gradients:
        return list(torch.autograd.grad(_total(terms), self._parameters, allow_unused=True))


def micro_batches(batch: Batch, size: int | None) -> Iterator[Batch]:
    """Yield the parts of a batch, of at most `size` samples, that are computed one by one."""
    count = len(batch["keys"])
    if size is None or size >= count:
        yield batch
        return
    parts = -(-count // size)
    bounds = [count * number // parts for number in range(parts + 1)]
    for start, stop in pairwise(bounds):
        yield {name: tensor[start:stop] for name, tensor in batch.items()}


def _finite(terms: Terms) -> Callable[[], bool]:
    """Return a function that says whether the loss is finite.

    On a GPU, calling it waits for forward only, while backward goes on.
    """
    is_finite = torch.isfinite(_total(terms).detach())
    if is_finite.device.type != "cuda":
        return lambda: bool(is_finite)
    on_host = torch.empty((), dtype=torch.bool, pin_memory=True)
    on_host.copy_(is_finite, non_blocking=True)
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record()

    def ask() -> bool:
        copied.synchronize()
        return bool(on_host)

    return ask


def _require(finite: Callable[[], bool], terms: Terms) -> None:
    if not finite():
        raise NotFiniteError(terms)


def _total(terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(terms.values())).sum()


def _added(total: Gradients | None, more: Gradients) -> Gradients:
    if total is None:  # copies, for autograd may give one tensor to several parameters
        return [None if gradient is None else gradient.clone() for gradient in more]
    return [
        new if old is None else old if new is None else old.add_(new)
        for old, new in zip(total, more, strict=True)
    ]


def _sum(terms: Terms, more: Terms) -> Terms:
    return {n: (terms[n] + t if n in terms else t).detach() for n, t in more.items()}
