"""Send what is logged from a thread of its own: a slow or absent server never delays a step."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from typing import Protocol

from baryon.errors import BaryonError, format_error
from baryon.terminal.console import warn
from baryon.terminal.credentials import strip_credentials

SECONDS_TO_END = 20.0
"""Time that the end of a run waits for lines that have not been sent."""
MAX_QUEUED = 10_000
"""Lines that may wait to be sent; further ones are dropped."""
LONGEST_REASON = 240


class Service(Protocol):
    """A tracker's client, which may wait for its server: a thread calls it, line after line.

    Attributes
    ----------
    label : what messages call it, with its address

    """

    label: str

    def open(self) -> None:
        """Begin the run there, or go on with it."""
        ...

    def log(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Send the numbers of one step, which were logged at this time since the epoch."""
        ...

    def end(self, *, finished: bool) -> None:
        """End a run that has `finished`, or was stopped or failed."""
        ...


class BackgroundTracker:
    """Send lines in the order in which they are logged; stop at the first failure, with a warning.

    A failure is whatever the service raises. Training never sees it.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._queue: queue.Queue[tuple[int, Mapping[str, float], float] | None]
        self._queue = queue.Queue(MAX_QUEUED)
        self._dropped = 0
        self._failed = False
        self._finished = False
        # A daemon: a server that never answers must not keep the process from ending.
        self._thread = threading.Thread(target=self._send, name=service.label, daemon=True)
        self._thread.start()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Queue the scalars of one step."""
        if self._failed:
            return
        try:
            self._queue.put_nowait((step, values, time.time()))
        except queue.Full:
            self._dropped += 1

    def close(self, *, finished: bool) -> None:
        """Wait up to `SECONDS_TO_END` for queued lines, and end the run in the tracker.

        Raises
        ------
        BaryonError
            If lines have not been sent.

        """
        self._finished = finished
        try:
            self._queue.put(None, timeout=SECONDS_TO_END)
        except queue.Full:
            pass
        else:
            self._thread.join(SECONDS_TO_END)
        if self._thread.is_alive():
            self._dropped += self._queue.qsize()
        if self._dropped and not self._failed:
            raise BaryonError(
                f"{self._dropped} lines did not reach {strip_credentials(self._service.label)}"
            )

    def _send(self) -> None:
        try:
            self._service.open()
            while (item := self._queue.get()) is not None:
                self._service.log(*item)
            self._service.end(finished=self._finished)
        except Exception as error:  # noqa: BLE001  whatever a server does, training goes on
            self._failed = True
            text = str(error) if isinstance(error, BaryonError) else format_error(error)
            reason = strip_credentials(text)[:LONGEST_REASON]
            label = strip_credentials(self._service.label)
            warn(f"stopped logging to {label}, training continues: {reason}")
