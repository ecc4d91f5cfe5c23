"""Turns: in which order the layers of a step are spread, the same on all members of a group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from baryon_comm.group.transport import BrokenGroupError
from baryon_comm.world.courier import Task


class Turns:
    """Of one attempt at a step: layer 0 first, each layer when the one before has been posted.

    An attempt that a death has ended has no more turns: else what waited in it would be posted
    among the layers of the next attempt, out of order.
    """

    def __init__(self) -> None:
        self._posted = 0
        self._failed = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Around all that a layer does: when it fails, no later one waits for it."""
        try:
            yield
        except BaseException:
            self._failed = True
            raise

    def wait_for(self, layer: int) -> Task:
        """Until it is this layer's turn. Raises `BrokenGroupError` if it never will be."""
        while self._posted < layer:
            if self._failed:
                raise BrokenGroupError
            yield

    def posted(self, layer: int) -> None:
        """The next layer may follow."""
        self._posted = max(self._posted, layer + 1)
