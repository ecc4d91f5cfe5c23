"""Forward and backward of one worker's part of a batch, in as many micro-batches as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import TypeAlias

import torch

from baryon.interfaces import Batch, Loss
from baryon.training.autotune.activation_checkpointing import without_checkpointing
from baryon.training.metrics.flop_count import Operations, counting
from baryon.training.metrics.stopwatch import BACKWARD, FORWARD, Stopwatch
from baryon.training.model_runner import ModelRunner

Terms: TypeAlias = dict[str, torch.Tensor]


class NotFiniteError(Exception):
    """A loss is NaN or infinite; the weights have not been changed by it."""

    def __init__(self, terms: Mapping[str, torch.Tensor]) -> None:
        super().__init__("the loss is not finite")
        self.terms = {name: float(term.detach()) for name, term in terms.items()}


class Gradient:
    """Computes the mean gradient of a batch's samples, once for all of them.

    Only the backward of the last micro-batch touches `parameter.grad`: a communicator whose hooks
    let gradients leave as they come sees each parameter once, with its complete gradient.
    """

    def __init__(
        self, runner: ModelRunner, loss: Loss, stopwatch: Stopwatch, *, skips: bool
    ) -> None:
        """`skips`: a loss that is not finite is known before the communicator's step begins."""
        self.micro_batch: int | None = None
        self.eager = False
        """Even if the network is compiled: to count operations."""
        self._network, self._loss, self._stopwatch, self._skips = runner, loss, stopwatch, skips
        self._parameters = [p for p in runner.model.parameters() if p.requires_grad]

    def compute(self, batch: Batch, begin: Callable[[], object]) -> Terms:
        """The loss terms, means over the batch's samples; gradients lie in `parameter.grad`.

        `begin` is called before the first gradient gets there. Raises `NotFiniteError`: with
        `skips` before `begin`, else when backward has ended.
        """
        self._network.begin_step()
        count = len(batch["keys"])
        *earlier, last = self._pieces(batch)
        kept: list[torch.Tensor | None] | None = None
        terms: Terms = {}
        for piece in earlier:
            own = self._forward(piece, len(piece["keys"]) / count)
            _require(_finite(own), own)
            self._stopwatch.switch(BACKWARD)
            kept = _added(kept, self._gradients(own))
            terms = _sum(terms, own)
        own = self._forward(last, len(last["keys"]) / count)
        finite = _finite(own)
        if self._skips:
            _require(finite, own)
        begin()
        self._stopwatch.switch(BACKWARD)
        if kept is not None:
            for parameter, gradient in zip(self._parameters, kept, strict=True):
                parameter.grad = gradient
        _total(own).backward()  # type: ignore[no-untyped-call]
        _require(finite, own)
        return _sum(terms, own)

    def operations_of(self, batch: Batch) -> Operations:
        """Of one sample; neither gradients nor random numbers are touched."""
        one = {name: tensor[:1] for name, tensor in batch.items()}
        devices = [self._network.device] if self._network.device.type == "cuda" else []

        def work() -> None:
            terms = self._loss(self._network(one, eager=True), one)
            self._gradients(dict(terms))

        with torch.random.fork_rng(devices), without_checkpointing(self._network.model):
            return counting(work, 1)[1]

    def _pieces(self, batch: Batch) -> Iterator[Batch]:
        count = len(batch["keys"])
        size = self.micro_batch or count
        if size >= count:
            yield batch
            return
        pieces = -(-count // size)
        bounds = [count * number // pieces for number in range(pieces + 1)]
        for start, stop in pairwise(bounds):
            yield {name: tensor[start:stop] for name, tensor in batch.items()}

    def _forward(self, piece: Batch, weight: float) -> Terms:
        self._stopwatch.switch(FORWARD)
        terms = self._loss(self._network(piece, eager=self.eager), piece)
        return {name: term if weight == 1 else term * weight for name, term in terms.items()}

    def _gradients(self, terms: Terms) -> list[torch.Tensor | None]:
        found = torch.autograd.grad(_total(terms), self._parameters, allow_unused=True)
        return list(found)


def _finite(terms: Terms) -> Callable[[], bool]:
    """Whether the loss is; asking for it on a GPU waits for forward alone, backward goes on."""
    found = torch.isfinite(_total(terms).detach())
    if found.device.type != "cuda":
        return lambda: bool(found)
    here = torch.empty((), dtype=torch.bool, pin_memory=True)
    here.copy_(found, non_blocking=True)
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record()

    def ask() -> bool:
        copied.synchronize()
        return bool(here)

    return ask


def _require(finite: Callable[[], bool], terms: Terms) -> None:
    if not finite():
        raise NotFiniteError(terms)


def _total(terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(terms.values())).sum()


def _added(
    kept: list[torch.Tensor | None] | None, more: list[torch.Tensor | None]
) -> list[torch.Tensor | None]:
    if kept is None:  # copies, for autograd may give one tensor to several parameters
        return [None if gradient is None else gradient.clone() for gradient in more]
    return [
        new if old is None else old if new is None else old.add_(new)
        for old, new in zip(kept, more, strict=True)
    ]


def _sum(terms: Terms, more: Terms) -> Terms:
    return {n: (terms[n] + t if n in terms else t).detach() for n, t in more.items()}
