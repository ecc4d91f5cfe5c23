"""A machine in figures, each with its source: what nodes compute, send and read, and how late."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError, did_you_mean
from baryon.scaling.plain_file import read_description
from baryon.system.plain_data import fits, is_number, is_text, mapping_of

FIGURES: Mapping[str, str] = {
    "nodes": "nodes that the machine has",
    "peak_flops": "FLOP/s of a node in the precision of training",
    "efficiency": "share of the peak that forward and backward reach on a very large batch",
    "batch_overhead": "samples that could be computed in the time a step takes beside its samples",
    "least_batch": "fewest samples a node for which efficiency and overhead were seen to hold",
    "most_batch": "most samples a node for which they were seen to hold",
    "update_bandwidth": "bytes of weights a second that a worker's optimizer updates",
    "input_bandwidth": "bytes a second that a node reads and decodes",
    "input_overlap": "share of forward and backward behind which reading hides",
    "file_system_bandwidth": "bytes a second that all nodes together read",
    "latency": "seconds of an empty message between two nodes",
    "bandwidth": "bytes a second of a large message between two nodes",
    "server_bandwidth": "bytes of gradients a second that a parameter server applies",
    "speed_spread": "relative standard deviation of the speed of nodes, which stays for a run",
    "jitter": "mean seconds by which a node is late in a step, anew in each step",
    "checkpoint_bandwidth": "bytes a second with which a checkpoint is written while a step waits",
    "node_mtbf": "hours between two failures of one node, on average",
    "restart": "seconds from a failure until a restarted job trains again",
    "shrink": "seconds that a group stands still when one of its workers dies",
}
"""Figures of a machine with their meaning; a machine's file must have all of them."""
POSITIVE = frozenset(FIGURES) - {
    *("batch_overhead", "input_overlap", "latency", "speed_spread", "jitter", "restart", "shrink")
}
LARGEST = {"efficiency": 1, "input_overlap": 1, "speed_spread": 1}
"""Figures that are shares of something."""
ALGORITHMS = ("ring", "tree")
"""How a group sums and broadcasts: over n-1 or log2(n) messages one after the other."""


@dataclass(frozen=True)
class Figure:
    """A number, and where it comes from."""

    value: float
    source: str


@dataclass(frozen=True)
class Machine:
    """A machine, for one network.

    Attributes
    ----------
    name : its name
    collectives : how a group sums and broadcasts, one of `ALGORITHMS`
    figures : the figures by name (`FIGURES`)
    origin : host, processor and date of a measurement; "" for figures of other sources
    measured : layer -> phase (`forward`, `backward`) -> samples -> seconds, where it was measured

    """

    name: str
    collectives: str
    figures: Mapping[str, Figure]
    measured: Mapping[str, Mapping[str, Mapping[int, float]]]
    origin: str = ""

    def __getitem__(self, figure: str) -> float:
        """Return the value of a figure."""
        return self.figures[figure].value

    def changed(self, **values: float) -> Machine:
        """Return a machine with other values of some figures."""
        figures = {**self.figures, **{k: Figure(v, "changed") for k, v in values.items()}}
        return Machine(self.name, self.collectives, figures, self.measured, self.origin)


def is_real(value: Any) -> bool:
    """Return whether a value is a finite number that products can be made of."""
    # A node of today reaches 1e16 FLOP/s; what is beyond 1e30 would overflow in products.
    return is_number(value) and abs(value) < 1e30


def _is_figure(value: Any) -> bool:
    return fits(value, {"value": is_real, "source": is_text})


MACHINE_SHAPE = {
    "name": is_text,
    "collectives": lambda value: value in ALGORITHMS,
    "figures": mapping_of(_is_figure),
}


def read_machine(name: str, network: str) -> Machine:
    """Return a shipped machine, or that of a file, with its figures for a network.

    Raises
    ------
    BaryonError
        If there is none of this name, if the file lacks a figure, has one that means nothing or an
        impossible value, or was measured with another network.

    """
    path, values = read_description("machine", name)
    return parse_machine(path, values, network)


def parse_machine(path: Path, values: Mapping[str, Any], network: str) -> Machine:
    """Return the machine that a file describes; errors as in `read_machine`."""
    for key, shape in MACHINE_SHAPE.items():
        if key not in values or not fits(values[key], shape):
            needed = "value and source of each" if key == "figures" else ""
            raise BaryonError(f"{path}: machine has no valid {key!r} {needed}".rstrip())
    figures = {name: Figure(**entry) for name, entry in values["figures"].items()}
    figures |= _of_network(path, values.get("networks", {}), network)
    for name, figure in figures.items():
        _check(path, name, figure)
    if missing := [name for name in FIGURES if name not in figures]:
        raise BaryonError(
            f"{path}: figure {missing[0]!r} ({FIGURES[missing[0]]}) is missing; add it with its "
            "value and source"
        )
    return Machine(
        name=values["name"],
        collectives=values["collectives"],
        figures=figures,
        measured=_measured(path, values.get("measured", {})),
        origin=_origin(path, values.get("measured_on", {})),
    )


def _of_network(path: Path, networks: Any, network: str) -> dict[str, Figure]:
    """Return the figures that hold for one network alone."""
    if not fits(networks, mapping_of(mapping_of(_is_figure))):
        raise BaryonError(f"{path}: 'networks' must hold figures by network, value and source each")
    return {name: Figure(**entry) for name, entry in networks.get(network, {}).items()}


def _origin(path: Path, measured_on: Any) -> str:
    """Say where and when the machine was measured."""
    keys = ("host", "processor", "cores", "date")
    if not isinstance(measured_on, dict):
        raise BaryonError(f"{path}: 'measured_on' must be a mapping, such as of host and date")
    told = [f"{key} {measured_on[key]!s:.80}" for key in keys if key in measured_on]
    return ", ".join(told)


def _check(path: Path, name: str, figure: Figure) -> None:
    if name not in FIGURES:
        raise BaryonError(
            f"{path}: a machine has no figure {name!r}; {did_you_mean(FIGURES, name)}"
        )
    if figure.value < 0 or (figure.value == 0 and name in POSITIVE):
        raise BaryonError(f"{path}: figure {name}={figure.value} must be above 0: {FIGURES[name]}")
    if figure.value > LARGEST.get(name, math.inf):
        raise BaryonError(f"{path}: figure {name}={figure.value} must be at most 1, as a share")


def _measured(path: Path, values: Any) -> dict[str, dict[str, dict[int, float]]]:
    """Return the measured times, with the numbers of samples as numbers."""
    if not fits(values, mapping_of(mapping_of(mapping_of(is_real)))):
        raise BaryonError(f"{path}: 'measured' must be seconds by layer, phase and samples")
    measured: dict[str, dict[str, dict[int, float]]] = {}
    for layer, phases in values.items():
        measured[layer] = {}
        for phase, times in phases.items():
            if not all(str(n).isdecimal() for n in times):
                raise BaryonError(f"{path}: 'measured' of {layer!r}: samples must be whole numbers")
            measured[layer][phase] = {int(n): seconds for n, seconds in times.items()}
    return measured
