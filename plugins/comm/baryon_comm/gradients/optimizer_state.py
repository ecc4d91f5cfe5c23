"""Optimizer state by parameter name: the form in which every strategy saves and loads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from baryon.interfaces import OptimizerStep

StateByName = dict[str, dict[str, Any]]


def trained(model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    """Return the parameters of a model that are trained, with their names; frozen ones are not."""
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def by_name(model: torch.nn.Module, optimizer: OptimizerStep) -> StateByName:
    """Return the state of each of the model's `trained` parameters, which `optimizer` changes."""
    names = [name for name, _ in trained(model)]
    return dict(zip(names, optimizer.state_dict()["parameters"], strict=True))


def in_order(model: torch.nn.Module, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `load_state_dict` of an optimizer step takes, in the model's parameter order."""
    return {"parameters": [state.get(name, {}) for name, _ in trained(model)]}


def on_cpu(state: Mapping[str, Any]) -> dict[str, Any]:
    """Move one parameter's state to the CPU: another rank may have another GPU, or none."""
    return {
        name: value.cpu() if isinstance(value, torch.Tensor) else value
        for name, value in state.items()
    }


def averaged(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean of several workers' states of one parameter.

    Workers that never updated the parameter have no state and are left out.
    """
    states = [state for state in states if state]
    if not states:
        return {}
    return {name: _mean([state[name] for state in states]) for name in states[0]}


def _mean(values: Sequence[Any]) -> Any:
    """Return the mean of tensors, the largest of counters (scalars), the first of anything else."""
    if not isinstance(values[0], torch.Tensor):
        return values[0]
    stacked = torch.stack(list(values))
    return stacked.mean(dim=0) if values[0].dim() else stacked.amax(dim=0)
