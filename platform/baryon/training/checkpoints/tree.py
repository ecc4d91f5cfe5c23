"""Walk through nested mappings and lists of tensors and plain values: the form of every state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

KeyPath = tuple[Any, ...]
"""Keys and indices that lead to a value of a state."""


def map_tensors(
    state: Any, change: Callable[[KeyPath, torch.Tensor], Any], path: KeyPath = ()
) -> Any:
    """Return the same structure with every tensor replaced by `change(key path, tensor)`."""
    if isinstance(state, torch.Tensor):
        return change(path, state)
    if isinstance(state, Mapping):
        return {key: map_tensors(value, change, (*path, key)) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(map_tensors(item, change, (*path, n)) for n, item in enumerate(state))
    return state


def tensors(state: Any) -> Iterator[torch.Tensor]:
    """Yield all tensors, in the order in which `map_tensors` visits them."""
    collected: list[torch.Tensor] = []
    map_tensors(state, lambda _, tensor: collected.append(tensor))
    yield from collected
