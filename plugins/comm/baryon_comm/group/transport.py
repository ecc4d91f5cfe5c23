"""What a group's transport does: sum buckets over the members of one group."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from baryon_comm.gradients.bucket import Bucket
from baryon_comm.mpi.progress_engine import Task


class BrokenGroupError(Exception):
    """A member has died: the survivors must shrink the group before they go on."""


class Transport(Protocol):
    """Sums buckets over the members of one group.

    Errors: `BrokenGroupError`, or MPI's own error, if a member has died.
    """

    def connect(self) -> Task:
        """Set up the connection, before the first use. All members call it."""
        ...

    def allreduce(self, bucket: Bucket, total: Bucket) -> Task:
        """Put the sum of every member's `bucket` into `total`, on all of them.

        The two may be the same bucket.
        """
        ...

    def reduce(self, bucket: Bucket, total: Bucket) -> Task:
        """Put the sum of every member's `bucket` into `total` of member 0; two distinct buckets."""
        ...

    def close(self) -> None:
        """Release what the transport holds."""
        ...


def chunks(array: np.ndarray[Any, Any], nbytes: int = 2**20) -> list[np.ndarray[Any, Any]]:
    """Split a flat array: large messages are up to twice as fast in chunks of 1 MiB."""
    step = max(1, nbytes // array.itemsize)
    return [array[start : start + step] for start in range(0, len(array), step)]
