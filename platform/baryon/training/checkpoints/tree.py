"""Nested mappings and lists of tensors and plain values: the form of every state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

Place = tuple[Any, ...]


def changed(state: Any, change: Callable[[Place, torch.Tensor], Any], place: Place = ()) -> Any:
    """The same with every tensor replaced by `change(where it is, tensor)`."""
    if isinstance(state, torch.Tensor):
        return change(place, state)
    if isinstance(state, Mapping):
        return {key: changed(value, change, (*place, key)) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(changed(one, change, (*place, n)) for n, one in enumerate(state))
    return state


def tensors(state: Any) -> Iterator[torch.Tensor]:
    """All tensors, in a fixed order."""
    found: list[torch.Tensor] = []
    changed(state, lambda _, tensor: found.append(tensor))
    yield from found
