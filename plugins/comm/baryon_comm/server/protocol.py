"""The messages between workers and parameter servers.

A gradient goes as a `Packet` with the tag of its layer; fresh weights come back the same way.
Everything rare (set-up, state, farewell) is a pickled tuple. A server can be asked for the same
update twice, when a group's root has died: it applies each step of a group once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baryon.interfaces import UpdateFactory
from baryon_comm.layers.layer import Layer
from baryon_comm.server.remedies import Remedy
from baryon_comm.world.layout import Layout

GRADIENT, ADOPT, WEIGHTS, REQUEST, REPLY = range(5)
KINDS = 8

SET_UP, LOAD, STATE, FETCH, REPORT, FAREWELL = (
    "set up",
    "load",
    "state",
    "fetch",
    "report",
    "farewell",
)


def tag(kind: int, layer: int = 0) -> int:
    """MPI's tag of a message of a kind about a layer."""
    return layer * KINDS + kind


def untag(value: int) -> tuple[int, int]:
    """Kind and layer of a tag."""
    layer, kind = divmod(value, KINDS)
    return kind, layer


@dataclass(frozen=True)
class SetUp:
    """What a server must know of a run."""

    layers: Sequence[Layer]
    update: UpdateFactory
    momentum_less: float
    remedy: Remedy
    layout: Layout
    weights: Mapping[int, Any]
    """Layer -> the values of its packet, for those it is home to."""
