"""What a sweep and a launcher know of each other, wherever the jobs run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class PlacedJob:
    """A job that has its folder.

    `asked` holds what the command set of the keys that a run's own file cannot set
    (`baryon.config.command_line_keys`); the job reads the rest from its folder.
    """

    id: str
    folder: Path
    asked: Mapping[str, Any]


class Observer(Protocol):
    """Learns from a launcher how its jobs get on; called from any thread."""

    def on_begin(self, job: PlacedJob) -> None:
        """Note that a job's processes have been started."""

    def on_change(self, jobs: Sequence[PlacedJob]) -> bool:
        """Read the status files of jobs that may have changed; tell whether all have ended."""

    def on_gone(self, job: PlacedJob, number: str) -> None:
        """Note that the batch system no longer has a job: it ended, was stopped or never began."""


class Launcher(ABC):
    """Runs jobs and waits for them; how each ended is in its folder.

    Attributes
    ----------
    at_once : largest number of jobs that run at a time
    scheduler : name of the batch system that has the jobs; "" if they are processes of this machine
    commands : how to see and end the jobs that the batch system has, as a part of a sentence

    """

    at_once: int
    scheduler = ""
    commands = ""

    @property
    def outlives(self) -> bool:
        """Whether jobs go on when the sweep that started them has ended."""
        return bool(self.scheduler)

    @abstractmethod
    def run(self, jobs: Sequence[PlacedJob], observer: Observer) -> None:
        """Run jobs until all have ended or were stopped.

        Raises `BaryonError` if no job can be started.
        """

    @abstractmethod
    def stop(self) -> None:
        """Begin no further job, and ask those that run to write their checkpoints and end."""

    def last_error(self, folder: Path, number: str) -> str:
        """Return the error in the logs of a job of the batch system, "" if they hold none.

        `folder` is the run's, `number` what the batch system calls the job.
        """
        del folder, number
        return ""
