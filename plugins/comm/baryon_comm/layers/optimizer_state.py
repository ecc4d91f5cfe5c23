"""The optimiser's state by parameter name: the form in which every strategy saves and loads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from baryon.interfaces import Update

ByName = dict[str, dict[str, Any]]


def by_name(model: torch.nn.Module, update: Update) -> ByName:
    """State of each of a model's parameters, all of which are under `update` in their order."""
    names = [name for name, _ in model.named_parameters()]
    return dict(zip(names, update.state_dict()["parameters"], strict=True))


def in_order(model: torch.nn.Module, state: Mapping[str, Any]) -> dict[str, Any]:
    """What `Update.load_state_dict` takes, for a model's parameters in their order."""
    return {"parameters": [state.get(name, {}) for name, _ in model.named_parameters()]}


def on_cpu(state: Mapping[str, Any]) -> dict[str, Any]:
    """One parameter's state as another rank can take it: that may have another GPU, or none."""
    return {
        name: value.cpu() if isinstance(value, torch.Tensor) else value
        for name, value in state.items()
    }


def averaged(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One parameter's state as the mean of several workers'; who never updated it has none."""
    states = [state for state in states if state]
    if not states:
        return {}
    return {name: _mean([state[name] for state in states]) for name in states[0]}


def _mean(values: Sequence[Any]) -> Any:
    """Of tensors; of counters (scalars) the largest, of anything else the first."""
    if not isinstance(values[0], torch.Tensor):
        return values[0]
    stacked = torch.stack(list(values))
    return stacked.mean(dim=0) if values[0].dim() else stacked.amax(dim=0)
