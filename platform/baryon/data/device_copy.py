"""Copy batches to a GPU while it computes on the one before."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

import torch

from baryon.interfaces import Batch

Batches = Generator[Batch, None, None]


def on_device(batches: Batches, device: torch.device) -> Batches:
    """Yield the same batches on a CUDA device, each copied while the one before is used.

    Parameters
    ----------
    batches
        Batches in pinned memory: from elsewhere CUDA copies synchronously. Closed at the end.
    device
        The CUDA device.

    """
    # All copies share one stream of their own; the computing stream waits for its own batch alone.
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    pending: tuple[Batch, torch.cuda.Event] | None = None
    with closing(batches):
        for batch in batches:
            following = _begin_copy(batch, device, stream)
            if pending is not None:
                yield _await_copy(*pending, device)
            pending = following
    if pending is not None:
        yield _await_copy(*pending, device)


def _begin_copy(
    batch: Batch, device: torch.device, stream: torch.cuda.Stream
) -> tuple[Batch, torch.cuda.Event]:
    with torch.cuda.stream(stream):
        copy = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(stream)
    return copy, done


def _await_copy(batch: Batch, done: torch.cuda.Event, device: torch.device) -> Batch:
    """Make the computing stream, not this process, wait until the batch has arrived."""
    computing = torch.cuda.current_stream(device)
    computing.wait_event(done)
    for tensor in batch.values():
        tensor.record_stream(computing)  # else its memory may be reused while it is read there
    return batch
