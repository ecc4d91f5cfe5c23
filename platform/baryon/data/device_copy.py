"""Batches copied to a GPU while it computes on the one before."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

import torch

from baryon.interfaces import Batch

Batches = Generator[Batch, None, None]


def on_device(batches: Batches, device: torch.device) -> Batches:
    """The same batches on a CUDA device, each copied on a stream of its own, one ahead.

    They must lie in pinned memory, else the copy waits and blocks. Consecutive copies share the
    stream; the computing stream waits for its own batch alone.
    """
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    coming: tuple[Batch, torch.cuda.Event] | None = None
    with closing(batches):
        for batch in batches:
            following = _copied(batch, device, stream)
            if coming is not None:
                yield _arrived(*coming, device)
            coming = following
    if coming is not None:
        yield _arrived(*coming, device)


def _copied(
    batch: Batch, device: torch.device, stream: torch.cuda.Stream
) -> tuple[Batch, torch.cuda.Event]:
    with torch.cuda.stream(stream):
        copy = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(stream)
    return copy, done


def _arrived(batch: Batch, done: torch.cuda.Event, device: torch.device) -> Batch:
    computing = torch.cuda.current_stream(device)
    computing.wait_event(done)
    for tensor in batch.values():
        tensor.record_stream(computing)  # else its memory may be reused while it is read there
    return batch
