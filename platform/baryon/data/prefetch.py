"""An iterator run in a thread, a few items ahead of who reads it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class Prefetcher(Generic[Item]):
    """At most `depth` items wait."""

    _END = object()

    def __init__(self, items: Iterator[Item], depth: int) -> None:
        self._items = items
        self._queue: queue.Queue[Any] = queue.Queue(maxsize=depth)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._fill, name="baryon-input", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        while (item := self._queue.get()) is not self._END:
            if isinstance(item, BaseException):
                raise item
            yield item

    def _fill(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
            self._put(self._END)
        except Exception as error:  # noqa: BLE001  raised again where the items are read
            self._put(error)

    def _put(self, item: Any) -> bool:
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def close(self) -> None:
        """Stop; returns when the thread has let go of what it reads."""
        self._closed.set()
        while self._thread.is_alive():
            with suppress(queue.Empty):
                self._queue.get_nowait()  # it may wait for room
            self._thread.join(timeout=0.001)
        if isinstance(self._items, Generator):
            self._items.close()
