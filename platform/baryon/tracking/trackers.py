"""Log to all trackers of a run. None of them ever stops a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from baryon.config.config import Config
from baryon.errors import BaryonError, format_error
from baryon.runs.directory import RunDirectory
from baryon.terminal.console import warn
from baryon.terminal.credentials import strip_credentials
from baryon.tracking.background import BackgroundTracker
from baryon.tracking.scalars import results, scalars


class Tracker(Protocol):
    """Receives numbers by name. It may raise anything, and is then disabled."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log the numbers of one step."""
        ...

    def close(self, *, finished: bool) -> None:
        """End the log of a run that has `finished`, or was stopped or failed."""
        ...


Opening = Callable[[RunDirectory, Config, int], Tracker]
"""Opens a tracker of a run; the number is the first step that may come."""


def _tensorboard(run: RunDirectory, config: Config, first_step: int) -> Tracker:
    from baryon.tracking.event_file import EventFile

    del config
    return EventFile(run.tensorboard, first_step)


def _mlflow(run: RunDirectory, config: Config, first_step: int) -> Tracker:
    from baryon.tracking.mlflow import MLflow

    del first_step
    return BackgroundTracker(MLflow(run, config))


def _wandb(run: RunDirectory, config: Config, first_step: int) -> Tracker:
    from baryon.tracking.wandb import Wandb

    del first_step
    return BackgroundTracker(Wandb(run, config))


def _trackio(run: RunDirectory, config: Config, first_step: int) -> Tracker:
    from baryon.tracking.trackio import Trackio

    del first_step
    return BackgroundTracker(Trackio(run, config))


TRACKERS: dict[str, tuple[str, Opening]] = {
    "tensorboard": ("TensorBoard", _tensorboard),
    "mlflow": ("MLflow", _mlflow),
    "wandb": ("W&B", _wandb),
    "trackio": ("Trackio", _trackio),
}
"""Key of the section `tracking` that asks for a tracker -> its name and what opens it."""


class Trackers:
    """Log to the trackers that the config asks for, on the rank that leads.

    They are opened at the first measurement: only then it is known which rank leads, and which step
    is the first.
    """

    def __init__(self, config: Config, run: RunDirectory) -> None:
        self._config, self._run = config, run
        asked_for = [entry for key, entry in TRACKERS.items() if getattr(config.tracking, key)]
        self._to_open: dict[str, Opening] = dict(asked_for)
        self._open: dict[str, Tracker] = {}
        self._step = 0
        self._finished = False

    def log(self, kind: str, values: Mapping[str, Any]) -> None:
        """Log a line of the run's log."""
        numbers = scalars(kind, values)
        if numbers:
            self._send(int(values["step"]), numbers)

    def answer(self, metrics: Mapping[str, Any], split: str) -> None:
        """Log the final evaluation of a split."""
        self._finished = True
        self._send(self._step, results(metrics, split))

    def close(self) -> None:
        """Close the trackers that are open."""
        for name, tracker in self._open.items():
            self._guarded(name, lambda t=tracker: t.close(finished=self._finished))  # type: ignore[misc]
        self._open.clear()

    def _send(self, step: int, values: Mapping[str, float]) -> None:
        self._step = step
        for name, opening in list(self._to_open.items()):
            del self._to_open[name]
            self._guarded(name, lambda n=name, o=opening: self._begin(n, o, step))  # type: ignore[misc]
        for name, tracker in list(self._open.items()):
            if not self._guarded(name, lambda t=tracker: t.scalars(step, values)):  # type: ignore[misc]
                del self._open[name]

    def _begin(self, name: str, opening: Opening, step: int) -> None:
        self._open[name] = opening(self._run, self._config, step)

    def _guarded(self, name: str, act: Callable[[], None]) -> bool:
        """Return whether `act` succeeded; print a warning if not."""
        try:
            act()
        except Exception as error:  # noqa: BLE001  a tracker's code and its server may fail anyhow
            reason = str(error) if isinstance(error, BaryonError) else format_error(error)
            warn(f"stopped logging to {name}, training continues: {strip_credentials(reason)}")
            return False
        return True
