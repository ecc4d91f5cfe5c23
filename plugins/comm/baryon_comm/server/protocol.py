"""The messages between workers and parameter servers.

A gradient travels as a `Bucket` with the tag of its layer; fresh weights come back the same way.
Everything rare (set-up, state, goodbye) is a pickled tuple. A server may be asked for the same
update twice, when a group's root has died: it applies each step of a group once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baryon.interfaces import OptimizerFactory
from baryon_comm.gradients.layer import Layer
from baryon_comm.mpi.layout import Layout
from baryon_comm.server.staleness import StalenessPolicy

GRADIENT, ADOPT, WEIGHTS, REQUEST, REPLY = range(5)
KINDS = 8  # room for kinds in a tag

SET_UP, LOAD, STATE, FETCH, REPORT, GOODBYE = (
    "set up",
    "load",
    "state",
    "fetch",
    "report",
    "goodbye",
)


def tag(kind: int, layer: int = 0) -> int:
    """Return MPI's tag for a kind of message about a layer."""
    return layer * KINDS + kind


def untag(value: int) -> tuple[int, int]:
    """Return kind and layer of a tag."""
    layer, kind = divmod(value, KINDS)
    return kind, layer


@dataclass(frozen=True)
class SetUp:
    """What a server must know of a run."""

    layers: Sequence[Layer]
    make_optimizer: OptimizerFactory
    implicit_momentum: float
    policy: StalenessPolicy
    layout: Layout
    weights: Mapping[int, Any]
    """Layer -> the values of its bucket, for the layers placed on this server."""
