"""The time of one node's step: input, forward, backward, optimizer."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from baryon.errors import BaryonError
from baryon.scaling.machine import Machine
from baryon.scaling.network import Layer, Network

FORWARD, BACKWARD = "forward", "backward"


@dataclass(frozen=True)
class NodeStep:
    """Seconds of one node's step without waiting for others.

    Attributes
    ----------
    input : reading that does not hide behind computing
    forward : of all layers
    backward : of each layer, in the order of forward
    update : of the worker's own optimizer

    """

    input: float
    forward: float
    backward: np.ndarray[tuple[int], np.dtype[np.float64]]
    update: float

    @property
    def computing(self) -> float:
        """Return the seconds of forward and backward."""
        return self.forward + float(self.backward.sum())

    @property
    def compute(self) -> float:
        """Return the seconds until the last gradient is there."""
        return self.input + self.computing

    def gradient_ready(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return when the gradient of each layer is complete, from the begin of the step."""
        # Backward begins with the last layer: the first one's gradient waits for all of them.
        later = np.cumsum(self.backward[::-1])[::-1]
        return np.asarray(self.input + self.forward + later)


def node_step(machine: Machine, network: Network, samples: float, nodes: int = 1) -> NodeStep:
    """Return the step of a node that computes so many samples while `nodes` nodes read.

    Raises
    ------
    BaryonError
        If the machine was measured with other layers than the network has.

    """
    whole = math.ceil(samples)  # the worker with most samples is the one that is waited for
    forward = sum(_seconds(machine, network, layer, FORWARD, whole) for layer in network.layers)
    backward = [_seconds(machine, network, layer, BACKWARD, whole) for layer in network.layers]
    computing = forward + sum(backward)
    reading = _reading(machine, network, whole, nodes)
    return NodeStep(
        # Reading ahead runs beside forward and backward: only what outlasts them is waited for.
        input=max(0.0, reading - machine["input_overlap"] * computing),
        forward=forward,
        backward=np.array(backward),
        update=network.nbytes / machine["update_bandwidth"],
    )


def _reading(machine: Machine, network: Network, samples: float, nodes: int) -> float:
    rate = machine["input_bandwidth"]
    if not network.in_memory:
        # Groups begin together, and those who read together take equally long: all are taken to
        # read at the same time.
        rate = min(rate, machine["file_system_bandwidth"] / nodes)
    return samples * network.sample_bytes / rate


def _seconds(machine: Machine, network: Network, layer: Layer, phase: str, samples: float) -> float:
    if machine.measured:
        times = machine.measured.get(layer.name, {}).get(phase)
        if not times:
            raise BaryonError(
                f"machine {machine.name!r} was measured with other layers than those of network "
                f"{network.name!r}, of which {layer.name!r} is one: measure this network there"
            )
        return interpolate(times, samples)
    flops = layer.forward_flops if phase == FORWARD else layer.backward_flops
    rate = machine["efficiency"] * machine["peak_flops"]
    return flops * (samples + machine["batch_overhead"]) / rate


def interpolate(times: Mapping[int, float], samples: float) -> float:
    """Return the seconds for a number of samples, on lines between the measured ones.

    Beyond them the line of the last two goes on; `beyond_measured` says so to the user.
    """
    points = sorted(times.items())
    if len(points) == 1:
        # Of a single point no overhead can be told from the samples' own time: it is all taken for
        # the latter.
        return points[0][1] * samples / points[0][0]
    place = min(max(bisect_left([n for n, _ in points], samples), 1), len(points) - 1)
    (low, low_seconds), (high, high_seconds) = points[place - 1], points[place]
    slope = (high_seconds - low_seconds) / (high - low)
    # A line that falls towards fewer samples must not reach below nothing.
    return max(0.0, low_seconds + slope * (samples - low))


def beyond_measured(machine: Machine, samples: float) -> bool:
    """Return whether so many samples a node are outside the range that the machine's file covers.

    In silence nothing is extrapolated: whoever predicts with such a number says so.
    """
    return not machine["least_batch"] <= math.ceil(samples) <= machine["most_batch"]
