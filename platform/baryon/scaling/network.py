"""What a network costs, layer by layer: operations, weights, bytes of a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError
from baryon.scaling.plain_file import read_description
from baryon.system.plain_data import Shape, fits, is_count, is_number, is_text, mapping_of

BYTES_PER_NUMBER = 4
"""Of float32, in which weights and gradients travel."""


@dataclass(frozen=True)
class Layer:
    """One layer: the unit in which gradients and weights travel.

    Attributes
    ----------
    name : the module's name in the model
    parameters : number of its weights
    forward_flops, backward_flops : floating-point operations of one sample, 2 a multiply-add

    """

    name: str
    parameters: int
    forward_flops: float
    backward_flops: float

    @property
    def nbytes(self) -> int:
        """Return the bytes of its gradient, which are those of its weights."""
        return BYTES_PER_NUMBER * self.parameters


@dataclass(frozen=True)
class Network:
    """A network as the model of the machine sees it.

    Attributes
    ----------
    name : the component's name
    input : shape of a sample
    layers : in the order of forward
    sample_bytes : bytes that are read for one sample
    in_memory : whether a worker keeps its part of the data set in memory after the first pass
    optimizer_state : numbers that the optimizer keeps for each weight (Adam 2, SGD momentum 1)

    """

    name: str
    input: tuple[int, ...]
    layers: tuple[Layer, ...]
    sample_bytes: float
    in_memory: bool
    optimizer_state: int

    @property
    def nbytes(self) -> int:
        """Return the bytes of all weights."""
        return sum(layer.nbytes for layer in self.layers)

    @property
    def checkpoint_bytes(self) -> int:
        """Return the bytes of a checkpoint: weights and optimizer state."""
        return self.nbytes * (1 + self.optimizer_state)

    @property
    def flops(self) -> float:
        """Return the operations of one sample in training, forward and backward."""
        return sum(layer.forward_flops + layer.backward_flops for layer in self.layers)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_rate(value: Any) -> bool:
    # Far above any network, and far enough below the largest float that sums and products stay
    # finite.
    return is_number(value) and 0 <= value < 1e30


LAYER_SHAPE = {"parameters": is_count, "forward_flops": _is_rate, "backward_flops": _is_rate}
NETWORK_SHAPE: Mapping[str, Shape] = {
    "name": is_text,
    "input": [is_count],
    "sample_bytes": _is_rate,
    "in_memory": _is_flag,
    "optimizer_state": is_count,
    "layers": mapping_of(LAYER_SHAPE),
}


def read_network(name: str) -> Network:
    """Return a shipped network, or that of a file.

    Raises
    ------
    BaryonError
        If there is none of this name, or if the file lacks something.

    """
    path, values = read_description("network", name)
    return parse_network(path, values)


def parse_network(path: Path, values: Mapping[str, Any]) -> Network:
    """Return the network that a file describes. Raises `BaryonError` if something is missing."""
    for key, shape in NETWORK_SHAPE.items():
        if key not in values or not fits(values[key], shape):
            raise BaryonError(
                f"{path}: network has no valid {key!r}; it needs {', '.join(NETWORK_SHAPE)}"
            )
    layers = tuple(Layer(name, **_layer(entry)) for name, entry in values["layers"].items())
    if not any(layer.parameters for layer in layers):
        raise BaryonError(f"{path}: network has no layer with parameters")
    return Network(
        name=values["name"],
        input=tuple(values["input"]),
        layers=layers,
        sample_bytes=float(values["sample_bytes"]),
        in_memory=values["in_memory"],
        optimizer_state=values["optimizer_state"],
    )


def _layer(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entry[key] for key in LAYER_SHAPE}


def as_plain(network: Network) -> dict[str, Any]:
    """Return the content of a file that describes a network."""
    return {
        "name": network.name,
        "input": list(network.input),
        "sample_bytes": network.sample_bytes,
        "in_memory": network.in_memory,
        "optimizer_state": network.optimizer_state,
        "layers": {
            layer.name: {
                "parameters": layer.parameters,
                "forward_flops": layer.forward_flops,
                "backward_flops": layer.backward_flops,
            }
            for layer in network.layers
        },
    }
