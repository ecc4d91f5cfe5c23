"""The order in which a group's members post the broadcasts of a step's layers.

Members must post them in the same order, whichever sums end first; MPI would otherwise pair the
broadcasts of different layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from baryon_comm.group.transport import BrokenGroupError
from baryon_comm.mpi.progress_engine import Task


class PostingOrder:
    """The order of one attempt at a step: layer 0 first, each layer once the last was posted.

    An attempt that a death has ended posts nothing more: what waited in it would otherwise be
    posted among the layers of the next attempt, out of order.
    """

    def __init__(self) -> None:
        self._posted = 0
        self._failed = False

    @contextmanager
    def watch_failure(self) -> Iterator[None]:
        """Around all that a layer does: when it fails, no later layer waits for it."""
        try:
            yield
        except BaseException:
            self._failed = True
            raise

    def wait_for(self, layer: int) -> Task:
        """Yield until it is this layer's turn. Raises `BrokenGroupError` if it never will be."""
        while self._posted < layer:
            if self._failed:
                raise BrokenGroupError
            yield

    def mark_posted(self, layer: int) -> None:
        """Let the next layer follow."""
        self._posted = max(self._posted, layer + 1)
