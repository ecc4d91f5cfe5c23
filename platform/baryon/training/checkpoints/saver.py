"""Save while training goes on: a step waits for a copy of the state, never for the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from baryon.training.checkpoints.tree import KeyPath, map_tensors

Write = Callable[[str, int, Mapping[str, Any]], None]
"""Writes a state to the disk, given the kind of checkpoint and the step."""
Pair = tuple[torch.Tensor, torch.Tensor]
"""Host memory, and the tensor that is to be copied there."""


class Saver:
    """Copies a state into memory of its own, then writes it, each in a thread.

    On a CPU the copy is made while the next step computes its gradient, and `wait_for_copies` is
    called before weights or optimizer change. On a GPU the copy stands in the queue of the device.
    It takes host memory for one more copy of the state for each kind of checkpoint (last, best).
    """

    def __init__(self) -> None:
        self._copier = ThreadPoolExecutor(1, "baryon-copy")
        self._writer = ThreadPoolExecutor(1, "baryon-checkpoint")
        self._buffers: dict[str, dict[KeyPath, torch.Tensor]] = {}
        self._copying: list[Future[None]] = []
        self._writing: dict[str, Future[None]] = {}

    def save(
        self,
        write: Write,
        kind: str,
        step: int,
        state: Mapping[str, Any],
        changes_soon: Callable[[KeyPath], bool],
    ) -> None:
        """Begin to save a state; wait if the last one of the same kind is not yet written.

        Parameters
        ----------
        write
            Called in a thread with `kind`, `step` and a copy of the state.
        kind
            Kind of checkpoint.
        step
            The step.
        state
            Nested mappings and lists of tensors and plain values.
        changes_soon
            Whether the tensor at a key path may change as soon as this returns. All others must
            not change before `wait_for_copies`.

        Raises
        ------
        BaryonError
            If the last one of the same kind could not be written.

        """
        if kind in self._writing:
            self._writing.pop(kind).result()
        buffers = self._buffers.setdefault(kind, {})
        at_once: list[Pair] = []
        later: list[Pair] = []

        def buffer_for(path: KeyPath, tensor: torch.Tensor) -> torch.Tensor:
            buffer = buffers.get(path)
            if buffer is None or not _have_same_layout(buffer, tensor):
                buffer = buffers[path] = _host_memory_like(tensor)
            (at_once if changes_soon(path) else later).append((buffer, tensor.detach()))
            return buffer

        copies = map_tensors(state, buffer_for)
        if any(tensor.is_cuda for _, tensor in later):
            wait: Callable[[], object] = _queue([*at_once, *later]).synchronize
        else:
            _copy(at_once)
            self._copying.append(self._copier.submit(_copy, later))
            wait = self._copying[-1].result
        self._writing[kind] = self._writer.submit(_write, write, kind, step, copies, wait)

    def wait_for_copies(self) -> None:
        """Wait until everything that is being saved is copied, and may change."""
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
    write: Write, kind: str, step: int, copies: Mapping[str, Any], wait: Callable[[], object]
) -> None:
    wait()
    write(kind, step, copies)


def _have_same_layout(buffer: torch.Tensor, tensor: torch.Tensor) -> bool:
    return (
        buffer.shape == tensor.shape
        and buffer.dtype == tensor.dtype
        and buffer.stride() == tensor.stride()
    )


def _host_memory_like(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(tensor, device="cpu", pin_memory=tensor.device.type == "cuda")


def _queue(pairs: list[Pair]) -> torch.cuda.Event:
    """Put copies into the device's queue, behind the step that has ended and before the next."""
    for buffer, tensor in pairs:
        buffer.copy_(tensor, non_blocking=True)
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return event


def _copy(pairs: list[Pair]) -> None:
    """Copy in this thread alone."""
    for buffer, tensor in pairs:
        if tensor.dtype == torch.bfloat16:  # NumPy does not know it
            buffer.copy_(tensor)
        else:
            # Not by PyTorch, which would take the threads that compute the step.
            np.copyto(buffer.numpy(), tensor.numpy())
