"""Choose between fused kernels and PyTorch's own: the option `model.kernels`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

import torch

from baryon.errors import format_error
from baryon.terminal.console import warn


def is_fused(kernels: Literal["auto", "fused", "plain"]) -> bool:
    """Return whether to compute with fused kernels; warn where they were asked for in vain.

    `auto` takes them where there is a CUDA device and Triton, and where the kernels pass a
    rehearsal on that device. Without a CUDA device it stays silent.
    """
    if kernels == "plain" or (kernels == "auto" and not torch.cuda.is_available()):
        return False
    missing = _missing() or (_rehearsed() if kernels == "auto" else None)
    if missing:
        warn(f"model.kernels={kernels} computes with PyTorch's own kernels: {missing}")
    return not missing


def _missing() -> str | None:
    if not find_spec("triton"):
        return "Triton is not installed"
    from baryon_hep.model.fused.kernels import INTERPRETED

    runs = torch.cuda.is_available() or INTERPRETED
    return None if runs else "there is no CUDA device"


def _rehearsed() -> str | None:
    from baryon_hep.model.fused.rehearsal import right_on

    name = torch.cuda.get_device_name()
    try:
        right = right_on(torch.device("cuda"))
    except Exception as error:  # noqa: BLE001  a compiler may fail in many ways
        return f"the fused ones fail on {name}: {format_error(error)[:200]}"
    return None if right else f"the fused ones give wrong answers on {name}"
