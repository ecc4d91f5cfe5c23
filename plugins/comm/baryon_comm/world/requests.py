"""Waiting for MPI requests inside a courier's task."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from baryon_comm.world.courier import Task


def finished(requests: Sequence[Any]) -> Task:
    """Until all of them are; raises `mpi4py.MPI.Exception` if one fails."""
    if not requests:
        return
    testall = type(requests[0]).Testall
    while not testall(requests):
        yield


def gathered(comm: Any, value: Any) -> Task:
    """Every rank's value, picklable, in rank order on all ranks of `comm`."""
    own = np.frombuffer(pickle.dumps(value), np.uint8)
    sizes = np.empty(comm.size, np.int64)
    yield from finished([comm.Iallgather(np.array([len(own)], np.int64), sizes)])
    everything = np.empty(int(sizes.sum()), np.uint8)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    layout = [everything, (sizes, starts[:-1])]
    yield from finished([comm.Iallgatherv(own, layout)])
    return [
        pickle.loads(everything[start:stop].data)  # noqa: S301  from our own ranks
        for start, stop in pairwise(starts)
    ]
