"""PyTorch's optimizers and counter of operations without importing its compiler, which takes 1.4 s.

Their methods are wrapped to say that `torch.compile` is to leave them alone; the first call of such
a wrapper imports the compiler, even where nothing is ever compiled. Baryon compiles networks only,
so it calls what is wrapped. Where a PyTorch wraps nothing, the same methods are called as ever.
"""

from __future__ import annotations

import inspect
from functools import cache
from types import MethodType
from typing import Any, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

Optimizer = TypeVar("Optimizer", bound=torch.optim.Optimizer)

_NOT_COMPILED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


@cache
def uncompiled(kind: type[Optimizer]) -> type[Optimizer]:
    """The same optimizer; it is not for use within `torch.compile`, nor `differentiable`."""
    plain: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in _NOT_COMPILED}
    plain["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), plain)


class UncompiledFlopCounter(FlopCounterMode):
    """The same counter."""

    def __enter__(self) -> UncompiledFlopCounter:
        """Begin to count."""
        super().__enter__()  # type: ignore[no-untyped-call]
        mode: Any = self.mode
        mode.__torch_dispatch__ = MethodType(inspect.unwrap(type(mode).__torch_dispatch__), mode)
        return self
