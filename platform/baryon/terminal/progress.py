"""Show the progress of long work: a bar on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from baryon.terminal.console import console, say
from baryon.terminal.handler import has_terminal, is_shown
from baryon.terminal.notebook import NotebookProgress, in_notebook
from baryon.terminal.units import duration

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_DRAWINGS = 0.2
"""In a notebook, where each drawing is a message to the browser."""

Advance = Callable[[int], None]


@contextmanager
def bar(description: str, total: int, unit: str) -> Iterator[Advance]:
    """Follow `total` pieces of work; call what the context gives with the number newly done."""
    if is_shown() and in_notebook():
        follow = _notebook_bar
    else:
        follow = _terminal_bar if has_terminal() else _log_lines
    with follow(description, total, unit) as advance:
        yield advance


@contextmanager
def _terminal_bar(description: str, total: int, unit: str) -> Iterator[Advance]:
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn(unit),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console()) as shown:
        task = shown.add_task(description, total=total)
        yield lambda done: shown.advance(task, done)


@contextmanager
def _notebook_bar(description: str, total: int, unit: str) -> Iterator[Advance]:
    progress, finished, last = NotebookProgress(), 0, 0.0

    def advance(done: int) -> None:
        nonlocal finished, last
        finished += done
        if (now := time.monotonic()) - last >= SECONDS_BETWEEN_DRAWINGS or finished >= total:
            last = now
            progress.show(finished, total, f"{unit}: {description}")

    yield advance


@contextmanager
def _log_lines(description: str, total: int, unit: str) -> Iterator[Advance]:
    started = last = time.monotonic()
    finished = 0

    def advance(done: int) -> None:
        nonlocal finished, last
        finished += done
        now = time.monotonic()
        # By time, not by share: a log of hours must not have a line for every percent of seconds.
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            rate = finished / (now - started)
            say(f"{description}: {finished} of {total} {unit}, {rate:.1f} {unit}/s")

    yield advance
    counted = unit.removesuffix("s") if finished == 1 else unit
    say(f"{description}: {finished} {counted} in {duration(time.monotonic() - started)}")
