"""Run in a reading process: answer the calls of the run's process, one after the other.

It imports what its splits need and NumPy, neither torch nor MPI.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import queue
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any

import numpy as np

from baryon.data.collate import collate
from baryon.data.contract_check import (
    class_of,
    require_augmented,
    require_declared,
)
from baryon.data.sampling import Rows
from baryon.data.workers.shared_memory import Form, array_forms, arrays_at
from baryon.errors import BaryonError, format_error
from baryon.interfaces import Arrays, Split
from baryon.system.allocator import keep_freed_memory

Slot = tuple[int, int]
"""Number of a shared memory, and the offset of a slot in it."""
Chunk = tuple[int, int, Slot]
"""First row of a decoded chunk, one past its last row, and the slot where it lies."""


class DataWorker:
    """Methods that the run's process may call by name."""

    def __init__(self) -> None:
        self._splits: dict[int, Split] = {}
        self._memories: dict[int, mmap.mmap] = {}

    def ready(self) -> None:
        """Do nothing: the answer says that the process has started."""

    def learn(self, number: int, pickled: bytes) -> None:
        """Unpickle a split, which later calls name by its number."""
        try:
            self._splits[number] = pickle.loads(pickled)  # noqa: S301  the run's own
        except BaryonError:
            raise
        except Exception as error:
            raise BaryonError(
                f"a split cannot be opened in a reading process ({format_error(error)}): its class "
                "must be in a module that can be imported, or set data.processes=0"
            ) from error

    def attach(self, number: int, length: int, descriptor: int) -> None:
        """Map shared memory, which later calls name by its number."""
        self._memories[number] = mmap.mmap(descriptor, length)
        os.close(descriptor)

    def detach(self, number: int) -> None:
        """Let go of shared memory."""
        self._memories.pop(number, None)

    def read(self, number: int, start: int, stop: int, slot: Slot) -> None:
        """Read the rows `start` to `stop - 1` of every field into a slot."""
        split = self._splits[number]
        decoded = split.read(start, stop)
        call = f"read({start}, {stop})"
        require_declared(class_of(split), call, decoded, split.fields, stop - start)
        self._write(slot, array_forms(split.fields, stop - start), decoded)

    def augment(
        self,
        number: int,
        rows: Rows,
        chunks: Sequence[Chunk],
        seed: Sequence[int],
        slot: Slot,
    ) -> list[Form]:
        """Collate a batch from decoded chunks and augment it into a slot.

        An `augment` in Python would hold the GIL, and be the one thread of the run again.

        Returns
        -------
        list of Form
            Name, dtype and shape of the arrays in the slot.

        Raises
        ------
        BaryonError
            If the arrays are not as the split's `augmented_fields` say, for which the slot has
            room.

        """
        split: Any = self._splits[number]
        batch = {
            name: np.empty(shape, dtype)
            for name, dtype, shape in array_forms(split.fields, len(rows))
        }
        collate(rows, (self._decoded(split, chunk) for chunk in chunks), batch)
        augmented = split.augment({**batch, "keys": rows}, np.random.default_rng(seed))
        require_augmented(class_of(split), augmented, split.augmented_fields, len(rows))
        forms = [(name, array.dtype.str, array.shape) for name, array in augmented.items()]
        self._write(slot, forms, augmented)
        return forms

    def _write(self, slot: Slot, forms: Sequence[Form], values: Arrays) -> None:
        memory, offset = slot
        for name, target in arrays_at(self._memories[memory], offset, forms).items():
            target[...] = values[name]

    def _decoded(self, split: Split, chunk: Chunk) -> tuple[int, int, Arrays]:
        start, stop, (memory, offset) = chunk
        forms = array_forms(split.fields, stop - start)
        return start, stop, arrays_at(self._memories[memory], offset, forms)

    def call(self, method: str, arguments: Sequence[Any]) -> Any:
        """Return the result of a method, or a `Failure` with the exception that it raised."""
        try:
            return getattr(self, method)(*arguments)
        except Exception as error:  # noqa: BLE001  raised again by the caller in the run's process
            return Failure(_picklable(error))


@dataclass(frozen=True)
class Failure:
    """An exception in place of a result."""

    error: Exception


def _picklable(error: Exception) -> Exception:
    """Return the exception with its traceback as a note, or a `RuntimeError` that says the same."""
    if not isinstance(error, BaryonError):
        error.add_note("in a reading process:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    except Exception:  # noqa: BLE001  an exception of a plugin may be anything
        return RuntimeError("\n".join([format_error(error), *getattr(error, "__notes__", ())]))
    return error


def _listen(connection: Connection, calls: queue.SimpleQueue[tuple[str, list[Any]]]) -> None:
    """Receive calls while the main thread works, and end the process when the parent is gone."""
    try:
        while True:
            method, arguments, with_descriptor = connection.recv()
            if with_descriptor:
                arguments = [*arguments, recv_handle(connection)]
            calls.put((method, arguments))
    finally:
        # At once, however the parent ended, even while the main thread is in a long `read`.
        os._exit(0)


def main(descriptor: int) -> None:
    """Answer calls until the parent is gone.

    `descriptor` is of the connection to it. What a call prints goes with its answer.
    """
    connection = Connection(descriptor)
    keep_freed_memory()
    printed = sys.stdout = io.StringIO()
    calls: queue.SimpleQueue[tuple[str, list[Any]]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, calls), daemon=True).start()
    worker = DataWorker()
    while True:
        result = worker.call(*calls.get())
        connection.send((result, printed.getvalue()))
        printed.seek(0)
        printed.truncate()
