"""Show how a run trains: a live bar on a terminal, lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from baryon.terminal.console import console, say
from baryon.terminal.handler import has_terminal, is_shown
from baryon.terminal.notebook import NotebookProgress, in_notebook

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_DRAWINGS = 0.5
"""In a notebook, where each drawing is a message to the browser."""
UNITS = {"samples_per_second": "samples/s", "tflops_per_second": "TFLOP/s"}


class TrainingProgress(Protocol):
    """Shows a run while it trains."""

    def update(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Show a training step with what was measured there."""
        ...

    def line(self, text: str) -> None:
        """Show a line that stays, such as a validation."""
        ...


@contextmanager
def training_progress(first: int, total: int, epochs: int) -> Iterator[TrainingProgress]:
    """Follow a run from step `first` to step `total`."""
    if is_shown() and in_notebook():
        yield _NotebookBar(total, epochs)
        return
    if not has_terminal():
        yield _Lines(total, epochs)
        return
    from rich import progress

    columns = (
        progress.TextColumn("epoch {task.fields[epoch]}"),
        progress.BarColumn(bar_width=20),
        progress.TextColumn("{task.completed}/{task.total}"),
        progress.TextColumn("{task.description}"),
        progress.TimeRemainingColumn(compact=True),
    )
    with progress.Progress(*columns, console=console()) as shown:
        task = shown.add_task("", total=total, completed=first, epoch=f"1/{epochs}")
        yield _Bar(shown, task, epochs)


class _Bar:
    def __init__(self, shown: Progress, task: TaskID, epochs: int) -> None:
        self._shown, self._task, self._epochs = shown, task, epochs

    def update(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        text = describe(values)
        self._shown.update(
            self._task, completed=step, description=text, epoch=f"{epoch + 1}/{self._epochs}"
        )

    def line(self, text: str) -> None:
        say(text)


class _NotebookBar:
    def __init__(self, total: int, epochs: int) -> None:
        self._total, self._epochs = total, epochs
        self._progress, self._last = NotebookProgress(), 0.0

    def update(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_DRAWINGS or step == self._total:
            self._last = now
            text = f"steps, epoch {epoch + 1}/{self._epochs}: {describe(values)}"
            self._progress.show(step, self._total, text)

    def line(self, text: str) -> None:
        say(text)


class _Lines:
    def __init__(self, total: int, epochs: int) -> None:
        self._total, self._epochs = total, epochs
        self._last = 0.0

    def update(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_LINES or step == self._total:
            self._last = now
            where = f"step {step}/{self._total}, epoch {epoch + 1}/{self._epochs}"
            say(f"{where}: {describe(values)}")

    def line(self, text: str) -> None:
        say(text)


def describe(values: Mapping[str, float]) -> str:
    """Return loss terms and rates in a few words; a term that is the whole loss is left out."""
    terms = [name for name in values if name not in UNITS and name != "loss"]
    shown = [name for name in values if name not in terms or len(terms) > 1]
    return "  ".join(
        f"{_rate(values[name])} {UNITS[name]}" if name in UNITS else f"{name} {values[name]:.4f}"
        for name in shown
    )


def _rate(value: float) -> str:
    """Return three digits, and whole numbers from a thousand on: `1,110`, not `1.11e+03`."""
    return f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}"
