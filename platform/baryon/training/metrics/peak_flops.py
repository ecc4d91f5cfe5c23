"""What this machine can do at most: the rate of a large matrix product, in the run's precision."""

from __future__ import annotations

import time

import torch

from baryon.system.cache import cached, keep
from baryon.training.autotune.execution_mode import BF16, ExecutionMode, device_name, set_precision

SIZE = {"cpu": 1024, "cuda": 8192}
SECONDS = 0.4  # ranks that share a machine, and measure together, must end together
LEAST = 3


def peak_flops(execution: ExecutionMode, device: torch.device) -> float:
    """TFLOP/s of a square product; measured in half a second, once for each kind of device."""
    key = {
        "device": device_name(device),
        "precision": execution.precision,
        "torch": torch.__version__,
    }
    kept = cached("peak_flops", key)
    if kept is None:
        kept = {"tflops_per_second": _measured(execution, device)}
        keep("peak_flops", key, kept)
    return float(kept["tflops_per_second"])


def _measured(execution: ExecutionMode, device: torch.device) -> float:
    set_precision(execution, device)
    size = SIZE.get(device.type, SIZE["cpu"])
    kind = torch.bfloat16 if execution.precision == BF16 else torch.float32
    random = torch.Generator(device).manual_seed(1)
    one, other = (
        torch.randn(size, size, device=device, generator=random).to(kind) for _ in range(2)
    )
    started = time.perf_counter()
    seconds: list[float] = []
    while len(seconds) < LEAST or time.perf_counter() - started < SECONDS:
        seconds.append(_seconds(one, other))
    return 2 * size**3 / min(seconds) / 1e12


def _seconds(one: torch.Tensor, other: torch.Tensor) -> float:
    started = time.perf_counter()
    torch.mm(one, other)
    if one.device.type == "cuda":
        torch.cuda.synchronize(one.device)
    return time.perf_counter() - started
