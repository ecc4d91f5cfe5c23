"""Time the forward and backward of each layer, as a communicator sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch

Seconds = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class StepTimes:
    """Seconds of one step of one process.

    Attributes
    ----------
    forward, backward : of each layer, in the order of forward; together they are the step

    """

    forward: Seconds
    backward: Seconds

    @property
    def total(self) -> float:
        """Return the seconds of forward and backward."""
        return float(self.forward.sum() + self.backward.sum())


def time_step(
    model: torch.nn.Module, names: Sequence[str], loss: Callable[[], torch.Tensor]
) -> StepTimes:
    """Time one forward and backward, layer by layer.

    A layer's forward lasts until the next layer begins, so what follows it (activation, pooling;
    after the last layer the loss) counts with it. Its backward ends when the gradients of all its
    parameters are complete: from then on they can be sent.

    Parameters
    ----------
    model
        The model.
    names
        Names of its modules that hold parameters, in the order of forward.
    loss
        Computes the loss of a batch.

    """
    now = _clock(next(model.parameters()).device)
    with _stamps(model, names, now) as (began, ready):
        start = now()
        value = loss()
        middle = now()
        value.backward()  # type: ignore[no-untyped-call]
        end = now()
    # What comes before the first layer counts with it. Branches side by side may begin or end in
    # another order than their names: no layer lasts less than no time.
    begins = np.maximum.accumulate([start, *(began.get(name, start) for name in names[1:])])
    ends = [ready.get(name, end) for name in reversed(names[1:])]
    done = np.maximum.accumulate([middle, *ends, end])
    return StepTimes(np.diff([*begins, middle]), np.diff(done)[::-1])


@contextmanager
def _stamps(
    model: torch.nn.Module, names: Sequence[str], now: Callable[[], float]
) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """Note, by name, when modules begin forward and when their last gradient is complete."""
    began: dict[str, float] = {}
    ready: dict[str, float] = {}

    def begins_forward(name: str) -> Callable[..., None]:
        def hook(*_: object) -> None:  # what a hook returns would take the place of the input
            # A module that is called twice begins with its first call.
            began.setdefault(name, now())

        return hook

    def gradient_is_complete(name: str) -> Callable[[torch.Tensor], None]:
        def hook(_: torch.Tensor) -> None:
            ready[name] = now()

        return hook

    modules = dict(model.named_modules())
    with ExitStack() as handles:
        for name in names:
            module = modules[name]
            before = module.register_forward_pre_hook(begins_forward(name))
            handles.callback(before.remove)
            for parameter in module.parameters(recurse=False):
                if parameter.requires_grad:
                    after = parameter.register_post_accumulate_grad_hook(gradient_is_complete(name))
                    handles.callback(after.remove)
        yield began, ready


def _clock(device: torch.device) -> Callable[[], float]:
    if device.type != "cuda":
        return time.perf_counter

    def after_all_kernels() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return after_all_kernels


def typical(steps: Sequence[StepTimes]) -> StepTimes:
    """Return the layers' median times, scaled so that together they are the mean step."""
    forward = np.median([step.forward for step in steps], axis=0)
    backward = np.median([step.backward for step in steps], axis=0)
    # Medians keep single hiccups out of the layers; the mean keeps them in the step, which pays for
    # them.
    scale = np.mean([step.total for step in steps]) / (forward.sum() + backward.sum())
    return StepTimes(forward * scale, backward * scale)
