"""A layer's weights on their server: buffers that are still being sent stay as they are.

A server sends its weights without a copy, and copies only if the next gradient comes while they are
still in flight. A copy for each group would cost time at every update, and memory of groups times
the model.
"""

from __future__ import annotations

from collections.abc import Callable

from baryon_comm.gradients.bucket import Bucket
from baryon_comm.gradients.layer import Layer

IsSent = Callable[[], bool]
"""Returns whether a send is complete."""


class WeightBuffers:
    """The latest weights, and as many further buffers as are in flight at once."""

    def __init__(self, layer: Layer) -> None:
        self.latest = Bucket(layer)
        self._buffers = [self.latest]
        self._in_flight: list[tuple[Bucket, IsSent]] = []

    def mark_in_flight(self, is_sent: IsSent) -> None:
        """Note that the latest buffer is being sent until `is_sent` returns true."""
        self._in_flight.append((self.latest, is_sent))

    def copy_on_write(self) -> bool:
        """Before a change: if `latest` is still being sent, continue in a copy.

        Returns whether `latest` is now another buffer.
        """
        self._in_flight = [(buffer, sent) for buffer, sent in self._in_flight if not sent()]
        busy = [buffer for buffer, _ in self._in_flight]
        if self.latest not in busy:
            return False
        sent_weights = self.latest
        free = next((buffer for buffer in self._buffers if buffer not in busy), None)
        # Never many more than there are groups: each waits for one reply at a time.
        self.latest = free or self._new_buffer()
        self.latest.values.copy_(sent_weights.values)
        return True

    def _new_buffer(self) -> Bucket:
        buffer = self.latest.empty_like()
        self._buffers.append(buffer)
        return buffer
