"""All trackers of a run behind one face. None of them ever stops a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from baryon.config.config import Config
from baryon.errors import format_error
from baryon.runs.directory import RunDirectory
from baryon.terminal.console import warn
from baryon.tracking.scalars import results, scalars


class Tracker(Protocol):
    """Takes numbers by name; may raise anything, and is then no longer asked."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """What was measured at a step."""
        ...

    def close(self, *, finished: bool) -> None:
        """The run has come to its end, or was stopped, or failed."""
        ...


Opening = Callable[[RunDirectory, Config, int], Tracker]
"""Starts a tracker; the number is the first step that may come."""


def _tensorboard(run: RunDirectory, config: Config, first_step: int) -> Tracker:
    from baryon.tracking.event_file import EventFile

    del config
    return EventFile(run.tensorboard, first_step)


def _mlflow(run: RunDirectory, config: Config, first_step: int) -> Tracker:
    from baryon.tracking.mlflow import MLflow

    del first_step
    return MLflow(run, config)


class Trackers:
    """Those that the config asks for; opened at the first measurement, on the rank that leads."""

    def __init__(self, config: Config, run: RunDirectory) -> None:
        asked: dict[str, tuple[bool, Opening]] = {
            "TensorBoard": (config.tracking.tensorboard, _tensorboard),
            "MLflow": (config.tracking.mlflow is not None, _mlflow),
        }
        self._config, self._run = config, run
        self._to_open = {name: opening for name, (wanted, opening) in asked.items() if wanted}
        self._open: dict[str, Tracker] = {}
        self._step = 0
        self._finished = False

    def log(self, kind: str, values: Mapping[str, Any]) -> None:
        """A line of the run's log."""
        found = scalars(kind, values)
        if found:
            self._send(int(values["step"]), found)

    def answer(self, metrics: Mapping[str, Any], split: str) -> None:
        """The final evaluation."""
        self._finished = True
        self._send(self._step, results(metrics, split))

    def close(self) -> None:
        """Of what was opened."""
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
        """Whether it went well; if not, it is told, once."""
        try:
            act()
        except Exception as error:  # noqa: BLE001  a stranger's code and servers may fail in any way
            warn(f"stopped logging to {name}, training continues: {format_error(error)}")
            return False
        return True
