"""Count what a model costs, layer by layer, without computing it or holding its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from baryon.errors import BaryonError
from baryon.interfaces import Field
from baryon.plugins.components import Choice, prepare
from baryon.plugins.registry import Plugins
from baryon.scaling.network import Layer

MULTIPLY_ADDS_OF_BACKWARD = 2
"""For each of forward: one for the gradient of the weights, one for that of the input."""


def count_component(
    plugins: Plugins, name: str, settings: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[Layer, ...]:
    """Count the layers of a plugin's model for samples of a shape.

    Raises
    ------
    BaryonError
        If there is no such model, or it cannot be built for such samples.

    """
    make = prepare(plugins, Choice("model", name, settings))
    with torch.device("meta"):  # shapes without values: no memory and no time
        model = make(fields={"inputs": Field(shape, "float32")})
        sample = torch.empty(1, *shape)
    return count_layers(model, sample)


def count_layers(model: torch.nn.Module, sample: torch.Tensor) -> tuple[Layer, ...]:
    """Count the layers of a model, in the order of forward, for a batch of one sample.

    Together they have all operations of the model's forward and backward. Raises `BaryonError` for
    a model without layers that have parameters.
    """
    names = _in_order_of_forward(model, sample)
    forward = _flops_of_forward(model, sample)
    if not names:
        raise BaryonError("the model has no layer with parameters")
    total = _flops_of_training(model, sample)
    # PyTorch's counter gives the backward of parallel branches to the wrong modules; only its total
    # is right. Layers fed by the input itself compute no gradient of it. What no layer computes,
    # such as a decoder with the encoder's weights, counts with the first one's backward.
    backward = {n: MULTIPLY_ADDS_OF_BACKWARD * forward.get(n, 0.0) for n in names}
    surplus = sum(forward.values()) + sum(backward.values()) - total
    backward[names[0]] = max(0.0, backward[names[0]] - surplus)
    modules = dict(model.named_modules())
    return tuple(
        Layer(name, _own_parameters(modules[name]), forward.get(name, 0.0), backward[name])
        for name in names
    )


def _own_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters(recurse=False))


def _in_order_of_forward(model: torch.nn.Module, sample: torch.Tensor) -> list[str]:
    """Return the names of the modules that hold parameters, as forward calls them."""
    # Modules are registered in the order of the constructor, which need not be that of forward.
    order: list[str] = []
    hooks = [
        module.register_forward_pre_hook(lambda *_, name=name: order.append(name))
        for name, module in model.named_modules()
        if _own_parameters(module)
    ]
    model(sample)
    for hook in hooks:
        hook.remove()
    # A module that forward calls twice has one place: that of its first call.
    return list(dict.fromkeys(order))


def _flops_of_forward(model: torch.nn.Module, sample: torch.Tensor) -> dict[str, float]:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(sample)
    # PyTorch names a module "<class of the model>.<its name>".
    by_name = {
        name.partition(".")[2]: float(sum(operations.values()))
        for name, operations in counter.get_flop_counts().items()
    }
    modules = dict(model.named_modules())
    return {n: flops for n, flops in by_name.items() if n and _own_parameters(modules[n])}


def _flops_of_training(model: torch.nn.Module, sample: torch.Tensor) -> float:
    with FlopCounterMode(display=False) as counter:
        # Backward costs the model the same for any scalar of all outputs: no loss is needed.
        total: Any = sum(tensor.sum() for tensor in _tensors(model(sample)))
        total.backward()
    return float(counter.get_total_flops())


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        yield output
    else:
        for part in output.values() if isinstance(output, Mapping) else output:
            yield from _tensors(part)
