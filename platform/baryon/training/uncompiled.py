"""PyTorch's optimizers and its counter of operations, used without importing PyTorch's compiler.

Their methods are wrapped to tell `torch.compile` to leave them alone. The first call of such a
wrapper imports the compiler, also in a run that compiles nothing. Baryon compiles networks only, so
it calls what is wrapped; a run that does compile imports the compiler then. Where a PyTorch wraps
nothing, the same methods are called as ever.
"""

# Decision: this module stays. The import takes nearly as much processor time as that of PyTorch
# itself, in each process of each run (2.5 s beside 2.7 s; PyTorch 2.13.0, 2 virtual cores of an
# Intel Xeon with AVX-512, 2026-11-28). PyTorch 2.13 has no public switch that avoids it: neither
# `fused=True` nor `foreach` matter, for `Optimizer.add_param_group` is wrapped already, and with it
# every constructor; `torch.compiler.disable` and TORCH_COMPILE_DISABLE are read after the import.
# The functional forms (`torch.optim.adam.adam`) would leave state and checkpoints to us.
# For the optimizers `inspect.unwrap` on their public methods is enough. The counter takes one
# attribute that is not public, `FlopCounterMode.mode`. tests/training/test_uncompiled.py shows that
# weights and counts are the same to the bit, and fails if a PyTorch imports the compiler again.

from __future__ import annotations

import inspect
from functools import cache
from types import MethodType
from typing import Any, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

Optimizer = TypeVar("Optimizer", bound=torch.optim.Optimizer)

_WRAPPED_METHODS = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


@cache
def uncompiled(kind: type[Optimizer]) -> type[Optimizer]:
    """Return a subclass of an optimizer that works without importing PyTorch's compiler.

    It is not for use within `torch.compile`, nor with `differentiable=True`.
    """
    plain: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in _WRAPPED_METHODS}
    plain["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), plain)


class UncompiledFlopCounter(FlopCounterMode):
    """PyTorch's `FlopCounterMode`, without importing its compiler."""

    def __enter__(self) -> UncompiledFlopCounter:
        """Begin to count."""
        super().__enter__()  # type: ignore[no-untyped-call]
        mode: Any = self.mode
        mode.__torch_dispatch__ = MethodType(inspect.unwrap(type(mode).__torch_dispatch__), mode)
        return self
