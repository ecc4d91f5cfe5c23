"""The CUDA stream on which gradients are summed and applied, beside the backward pass.

On the stream of backward an exchange would start after all that backward has queued. On a CPU there
are no streams, and nothing to wait for.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch

from baryon_comm.mpi.progress_engine import Task


class SideStream:
    """One bucket's events on the device's stream of exchanges; a no-op on a CPU."""

    def __init__(self, device: torch.device) -> None:
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = _stream(device)
            self._ready = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._done = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def record_ready(self) -> None:
        """Mark the bucket as filled by what this thread has queued so far."""
        if self._stream is not None:
            self._ready.record()

    def enqueue(self) -> AbstractContextManager[object]:
        """Queue what the block does on the side stream, after the bucket has been filled."""
        if self._stream is None:
            return nullcontext()
        self._stream.wait_event(self._ready)
        return torch.cuda.stream(self._stream)

    def wait(self) -> Task:
        """Yield until everything queued on the side stream is done."""
        if self._stream is None:
            return
        self._done.record(self._stream)
        while not self._done.query():  # type: ignore[no-untyped-call]
            yield


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
