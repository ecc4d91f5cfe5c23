"""The time of messages by latency and bandwidth (Hockney's model), in rings or trees."""

from __future__ import annotations

import math

from baryon.scaling.machine import Machine


def send(machine: Machine, nbytes: float) -> float:
    """Return the seconds of a message from one node to another."""
    return machine["latency"] + nbytes / machine["bandwidth"]


def all_reduce(machine: Machine, nbytes: float, members: int) -> float:
    """Return the seconds of a sum over all members that all of them get.

    A ring takes 2(n-1) messages one after the other, a tree 2 log2(n); either moves 2(n-1)/n of the
    bytes through each node (Thakur, Rabenseifner, Gropp, IJHPCA 19 (2005) 49).
    """
    if members == 1:
        return 0.0
    share = (members - 1) / members
    return 2 * (
        _hops(machine, members) * machine["latency"] + share * nbytes / machine["bandwidth"]
    )


def to_root(machine: Machine, nbytes: float, members: int) -> float:
    """Return the seconds of a sum that the root gets, or of the root's broadcast.

    The bytes are cut into pieces that follow one another along a chain or a tree: they pass each
    node once, after the hops of the first piece.
    """
    if members == 1:
        return 0.0
    return _hops(machine, members) * machine["latency"] + nbytes / machine["bandwidth"]


def _hops(machine: Machine, members: int) -> int:
    """Return the messages one after the other from one member to all others."""
    return members - 1 if machine.collectives == "ring" else math.ceil(math.log2(members))
