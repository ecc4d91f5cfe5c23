"""Measure the peak FLOP/s of a machine: the rate of a large matrix product in some precision."""

from __future__ import annotations

import time

import torch

from baryon.system.cache import cached, keep
from baryon.training.autotune.execution_mode import BF16, ExecutionMode, device_name, set_precision

SIZE = {"cpu": 1024, "cuda": 8192}
"""Kind of device -> rows of the square matrices: large enough to be limited by arithmetic alone."""
SECONDS = 0.4
"""Duration of the measurement. Ranks that share a machine measure together and must end together,
so it is time that is fixed and not the number of products."""
LEAST_PRODUCTS = 3


def peak_flops(execution: ExecutionMode, device: torch.device) -> float:
    """Return the peak TFLOP/s of a device in the precision of an execution mode.

    It is the highest rate that any run has measured for this kind of device, precision and version
    of PyTorch, kept in the user's cache folder.
    """
    key = {
        "device": device_name(device),
        "precision": execution.precision,
        "torch": torch.__version__,
    }
    entry = cached("peak_flops", key)
    known = float(entry["tflops_per_second"]) if entry else 0.0
    # Measured on a busy machine a peak is too low, and no run could tell. So every run looks again,
    # though for some tens of milliseconds only where a rate is known.
    measured = _measure(execution, device, seconds=0.0 if known else SECONDS)
    if measured > known:
        keep("peak_flops", key, {"tflops_per_second": measured})
    return max(measured, known)


def _measure(execution: ExecutionMode, device: torch.device, seconds: float) -> float:
    """Measure for some seconds, and at least `LEAST_PRODUCTS` products."""
    set_precision(execution, device)
    size = SIZE.get(device.type, SIZE["cpu"])
    dtype = torch.bfloat16 if execution.precision == BF16 else torch.float32
    generator = torch.Generator(device).manual_seed(1)
    a, b = (torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2))
    started = time.perf_counter()
    spent: list[float] = []
    while len(spent) < LEAST_PRODUCTS or time.perf_counter() - started < seconds:
        spent.append(_seconds_of_product(a, b))
    # The fastest one counts: whatever else the machine does only adds to the time.
    return 2 * size**3 / min(spent) / 1e12


def _seconds_of_product(a: torch.Tensor, b: torch.Tensor) -> float:
    started = time.perf_counter()
    torch.mm(a, b)
    if a.device.type == "cuda":
        torch.cuda.synchronize(a.device)
    return time.perf_counter() - started
