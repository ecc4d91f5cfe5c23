"""The life of a reading process: it does as it is told, one thing after the other.

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
from baryon.data.workers.shared_memory import Form, arrays, forms
from baryon.errors import BaryonError, format_error
from baryon.interfaces import Arrays, Split
from baryon.system.allocator import keep_freed_memory

Slot = tuple[int, int]
"""Number of a memory, and where in it."""
Chunk = tuple[int, int, Slot]
"""First row, the one after the last, and where they lie."""


class DataWorker:
    """What the run's process may ask for, by the name of the method."""

    def __init__(self) -> None:
        self._splits: dict[int, Split] = {}
        self._memories: dict[int, mmap.mmap] = {}

    def ready(self) -> None:
        """It has started."""

    def learn(self, number: int, pickled: bytes) -> None:
        """A split, to be known by its number from now on."""
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
        """Memory that is shared from now on."""
        self._memories[number] = mmap.mmap(descriptor, length)
        os.close(descriptor)

    def detach(self, number: int) -> None:
        """Memory that is no longer needed."""
        self._memories.pop(number, None)

    def read(self, number: int, start: int, stop: int, slot: Slot) -> None:
        """Rows start..stop-1 of every field, into a slot."""
        split = self._splits[number]
        found = split.read(start, stop)
        call = f"read({start}, {stop})"
        require_declared(class_of(split), call, found, split.fields, stop - start)
        memory, offset = slot
        its = forms(split.fields, stop - start)
        for name, into in arrays(self._memories[memory], offset, its).items():
            into[...] = found[name]

    def augment(
        self,
        number: int,
        rows: Rows,
        chunks: Sequence[Chunk],
        key: Sequence[int],
        slot: Slot,
    ) -> list[Form]:
        """Gather a batch from chunks, augment it into a slot; return the forms of what lies there.

        Raises `BaryonError` if that is not what the split's fields say, for which the slot has
        room.
        """
        split: Any = self._splits[number]
        batch = {
            name: np.empty(shape, dtype) for name, dtype, shape in forms(split.fields, len(rows))
        }
        collate(rows, (self._decoded(split, chunk) for chunk in chunks), batch)
        changed = split.augment({**batch, "keys": rows}, np.random.default_rng(key))
        require_augmented(class_of(split), changed, split.augmented_fields, len(rows))
        its = [(name, array.dtype.str, array.shape) for name, array in changed.items()]
        memory, offset = slot
        for name, into in arrays(self._memories[memory], offset, its).items():
            into[...] = changed[name]
        return its

    def _decoded(self, split: Split, chunk: Chunk) -> tuple[int, int, Arrays]:
        start, stop, (memory, offset) = chunk
        its = forms(split.fields, stop - start)
        return start, stop, arrays(self._memories[memory], offset, its)

    def do(self, method: str, arguments: Sequence[Any]) -> Any:
        """What was asked for; an exception that comes of it is an answer as well."""
        try:
            return getattr(self, method)(*arguments)
        except Exception as error:  # noqa: BLE001  raised again where it was asked for
            return Failure(_portable(error))


@dataclass(frozen=True)
class Failure:
    """What was raised instead of an answer."""

    error: Exception


def _portable(error: Exception) -> Exception:
    """The same exception, with its traceback as a note, if it comes through a pickle."""
    if not isinstance(error, BaryonError):
        error.add_note("in a reading process:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    except Exception:  # noqa: BLE001  an exception of a plugin may be anything
        return RuntimeError("\n".join([format_error(error), *getattr(error, "__notes__", ())]))
    return error


def _listen(connection: Connection, asked: queue.SimpleQueue[tuple[str, list[Any]]]) -> None:
    """Take what is asked while the main thread works; without the parent there is no use."""
    try:
        while True:
            method, arguments, with_descriptor = connection.recv()
            if with_descriptor:
                arguments = [*arguments, recv_handle(connection)]
            asked.put((method, arguments))
    finally:
        os._exit(0)


def main(descriptor: int) -> None:
    """Until the parent is gone. What would be printed goes with the answers."""
    connection = Connection(descriptor)
    keep_freed_memory()
    printed = sys.stdout = io.StringIO()
    asked: queue.SimpleQueue[tuple[str, list[Any]]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, asked), daemon=True).start()
    reader = DataWorker()
    while True:
        answer = reader.do(*asked.get())
        connection.send((answer, printed.getvalue()))
        printed.seek(0)
        printed.truncate()
