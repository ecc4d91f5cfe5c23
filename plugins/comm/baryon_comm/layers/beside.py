"""A GPU's part in an exchange: on a stream of its own, beside the backward pass.

On the stream of backward it would come after all that backward has queued. On a CPU there are no
streams, and nothing to wait for.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch

from baryon_comm.world.courier import Task


class Beside:
    """The stream of exchanges of a device, as one packet needs it."""

    def __init__(self, device: torch.device) -> None:
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = _stream(device)
            self._packed = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._done = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def packed(self) -> None:
        """What this thread has queued so far is what the exchange is about."""
        if self._stream is not None:
            self._packed.record()

    def work(self) -> AbstractContextManager[object]:
        """What is queued inside goes on the stream of exchanges, after what was packed."""
        if self._stream is None:
            return nullcontext()
        self._stream.wait_event(self._packed)
        return torch.cuda.stream(self._stream)

    def done(self) -> Task:
        """Until all that was queued there has ended."""
        if self._stream is None:
            return
        self._done.record(self._stream)
        while not self._done.query():  # type: ignore[no-untyped-call]
            yield


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
