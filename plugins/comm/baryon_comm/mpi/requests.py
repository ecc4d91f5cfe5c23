"""Wait for MPI requests inside a task of the progress engine."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from baryon_comm.mpi.progress_engine import Task


def wait_all(requests: Sequence[Any]) -> Task:
    """Yield until all requests are complete. Raises `mpi4py.MPI.Exception` if one fails."""
    if not requests:
        return
    testall = type(requests[0]).Testall
    while not testall(requests):
        yield


def is_complete(send: Any, mpi: Any) -> bool:
    """Whether a send is over, also because its receiver has died."""
    try:
        return bool(send.Test())
    except mpi.Exception:
        return True


def all_gather_object(comm: Any, value: Any) -> Task:
    """Return every rank's picklable value, in rank order, on all ranks of `comm`."""
    pickled = np.frombuffer(pickle.dumps(value), np.uint8)
    # The sizes go first: MPI receives into memory that is there already.
    sizes = np.empty(comm.size, np.int64)
    yield from wait_all([comm.Iallgather(np.array([len(pickled)], np.int64), sizes)])
    received = np.empty(int(sizes.sum()), np.uint8)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    yield from wait_all([comm.Iallgatherv(pickled, [received, (sizes, starts[:-1])])])
    return [
        pickle.loads(received[start:stop].data)  # noqa: S301  from our own ranks
        for start, stop in pairwise(starts)
    ]
