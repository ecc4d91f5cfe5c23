"""Meters: floating-point operations of a step, images and operations a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from torch.utils.flop_counter import FlopCounterMode

T = TypeVar("T")


def counting_flops(work: Callable[[], T]) -> tuple[T, int]:
    """Do some work on tensors and count its floating-point operations (2 x multiply-adds)."""
    with FlopCounterMode(display=False) as counter:
        result = work()
    return result, counter.get_total_flops()


@dataclass
class Rate:
    """Samples a second and TFLOP/s, wall clock, since the last reading."""

    flops_per_sample: float | None = None
    """Counted at the first step; None before."""
    _since: float = field(default_factory=time.perf_counter)

    def read(self, samples: float) -> dict[str, float]:
        """`samples_per_second` and `tflops_per_second` of `samples` since the last reading."""
        now = time.perf_counter()
        per_second = samples / max(now - self._since, 1e-9)
        self._since = now
        return {
            "samples_per_second": per_second,
            "tflops_per_second": per_second * (self.flops_per_sample or 0.0) / 1e12,
        }
