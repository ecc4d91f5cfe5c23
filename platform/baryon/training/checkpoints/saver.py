"""Saves while training goes on: the step waits for a copy of the state, never for the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from baryon.training.checkpoints.tree import Place, changed

Write = Callable[[str, int, Mapping[str, Any]], None]
Changes = Callable[[Place], bool]
Pair = tuple[torch.Tensor, torch.Tensor]


class Saver:
    """Copies a state into memory of its own, then writes it, each in a thread.

    On a CPU the copy is made while the next step computes its gradient; `wait_for_copies` is
    called before weights or optimizer change. On a GPU it stands in the queue of the device.
    Host memory: one more copy of the state for each kind of checkpoint (last, best).
    """

    def __init__(self) -> None:
        self._copier = ThreadPoolExecutor(1, "baryon-copy")
        self._writer = ThreadPoolExecutor(1, "baryon-checkpoint")
        self._buffers: dict[str, dict[Place, torch.Tensor]] = {}
        self._copying: list[Future[None]] = []
        self._writing: dict[str, Future[None]] = {}

    def save(
        self, write: Write, kind: str, step: int, state: Mapping[str, Any], changes: Changes
    ) -> None:
        """Begin to save; waits if the last one of the same kind is not yet written.

        What is at a place that `changes` may change at once, all else after `wait_for_copies`.
        """
        if kind in self._writing:
            self._writing.pop(kind).result()
        buffers = self._buffers.setdefault(kind, {})
        at_once: list[Pair] = []
        later: list[Pair] = []

        def place_of(place: Place, tensor: torch.Tensor) -> torch.Tensor:
            buffer = buffers.get(place)
            if buffer is None or not _alike(buffer, tensor):
                buffer = buffers[place] = _host_memory_like(tensor)
            (at_once if changes(place) else later).append((buffer, tensor.detach()))
            return buffer

        copies = changed(state, place_of)
        if any(tensor.is_cuda for _, tensor in later):
            arrived: Callable[[], object] = _queue([*at_once, *later]).synchronize
        else:
            _copy(at_once)
            self._copying.append(self._copier.submit(_copy, later))
            arrived = self._copying[-1].result
        self._writing[kind] = self._writer.submit(_write, write, kind, step, copies, arrived)

    def wait_for_copies(self) -> None:
        """What is saved may change from now on."""
        for copied in self._copying:
            copied.result()
        self._copying = []

    def check(self) -> None:
        """Raise `BaryonError` if a checkpoint could not be written."""
        for kind, written in list(self._writing.items()):
            if written.done():
                self._writing.pop(kind).result()

    def finish(self) -> None:
        """Wait until all is on the disk. Raises `BaryonError` if it could not be written."""
        self.wait_for_copies()
        for kind in list(self._writing):
            self._writing.pop(kind).result()


def _write(
    write: Write, kind: str, step: int, state: Mapping[str, Any], arrived: Callable[[], object]
) -> None:
    arrived()
    write(kind, step, state)


def _alike(buffer: torch.Tensor, tensor: torch.Tensor) -> bool:
    return (
        buffer.shape == tensor.shape
        and buffer.dtype == tensor.dtype
        and buffer.stride() == tensor.stride()
    )


def _host_memory_like(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(tensor, device="cpu", pin_memory=tensor.device.type == "cuda")


def _queue(pairs: list[Pair]) -> torch.cuda.Event:
    """Put copies into the device's queue, behind the step that has ended, before the next."""
    for buffer, tensor in pairs:
        buffer.copy_(tensor, non_blocking=True)
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return event


def _copy(pairs: list[Pair]) -> None:
    """In this thread alone: PyTorch would take the threads that compute the step."""
    for buffer, tensor in pairs:
        if tensor.dtype == torch.bfloat16:  # NumPy does not know it
            buffer.copy_(tensor)
        else:
            np.copyto(buffer.numpy(), tensor.numpy())
