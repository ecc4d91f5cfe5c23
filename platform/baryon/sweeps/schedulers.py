"""Speak to PBS and LSF by their commands: submit a job, ask for it, warn it, cancel it."""

from __future__ import annotations

import os
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from baryon.errors import BaryonError
from baryon.sweeps.queue import SECONDS_TO_ANSWER


@dataclass(frozen=True)
class QueuedJob:
    """A job that has not ended: its name, and whether it waits to begin."""

    name: str
    waits: bool


class Scheduler(ABC):
    """A batch system.

    Attributes
    ----------
    name : what messages call it
    programs : the commands that it is spoken to by; the first one submits
    commands : how a user sees and ends jobs, as a part of a sentence

    """

    name: str
    programs: Sequence[str]
    commands: str

    def submit(self, script: Path) -> str:
        """Submit a script and return the number of its job.

        Raises `BaryonError` with what the batch system says if it takes none.
        """
        answer = self._submit(script)
        number = self._number(answer.stdout) if answer.returncode == 0 else None
        if number is None:
            text = " ".join((answer.stderr or answer.stdout).split()) or "no number of a job"
            raise BaryonError(f"{self.programs[0]} took no job ({script}): {text:.300}")
        return number

    def queued(self, numbers: Collection[str]) -> dict[str, QueuedJob] | None:
        """Return those of the jobs that have not ended, by number.

        None if the batch system is silent.
        """
        try:
            answer = _run(self._query(sorted(numbers)))
        except (OSError, subprocess.TimeoutExpired):
            return None
        # An unknown job makes the command fail, and is one that has ended; the others are told.
        complaints = [line for line in answer.stderr.splitlines() if line.strip()]
        if answer.returncode and not (complaints and all(map(self._is_of_ended_job, complaints))):
            return None
        return self._parse(answer.stdout)

    def warn(self, numbers: Collection[str]) -> None:
        """Send running jobs SIGUSR1, by which they end with a checkpoint."""
        self._tell(self._warning(sorted(numbers)), numbers)

    def cancel(self, numbers: Collection[str]) -> None:
        """Take jobs out of the queue that have not begun."""
        self._tell(self._cancelling(sorted(numbers)), numbers)

    def _tell(self, command: Sequence[str], numbers: Collection[str]) -> None:
        if numbers:
            with suppress(OSError, subprocess.TimeoutExpired):  # then they end by themselves
                _run(command)

    @abstractmethod
    def _submit(self, script: Path) -> subprocess.CompletedProcess[str]:
        """Run the command that submits a script."""

    @abstractmethod
    def _number(self, answer: str) -> str | None:
        """Return the number of the job in the answer of that command, None if there is none."""

    @abstractmethod
    def _query(self, numbers: Sequence[str]) -> Sequence[str]:
        """Return the command that asks for jobs."""

    @abstractmethod
    def _is_of_ended_job(self, complaint: str) -> bool:
        """Tell whether a line of an error says that a job has ended or is not known any more."""

    @abstractmethod
    def _parse(self, answer: str) -> dict[str, QueuedJob]:
        """Return from the answer the jobs that have not ended, by number."""

    @abstractmethod
    def _warning(self, numbers: Sequence[str]) -> Sequence[str]:
        """Return the command that sends jobs SIGUSR1."""

    @abstractmethod
    def _cancelling(self, numbers: Sequence[str]) -> Sequence[str]:
        """Return the command that cancels jobs."""


def _run(command: Sequence[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        command,
        input=text,
        stdin=None if text is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_TO_ANSWER,
        env={**os.environ, "LC_ALL": "C"},  # its answers are read
    )


class PBS(Scheduler):
    """OpenPBS and PBS Professional; the commands are those of Torque as well."""

    name = "PBS"
    programs = ("qsub", "qstat", "qdel", "qsig")
    commands = "`qstat -u $USER` shows them, `qdel` ends them"

    def _submit(self, script: Path) -> subprocess.CompletedProcess[str]:
        return _run(["qsub", str(script)])

    def _number(self, answer: str) -> str | None:
        lines = answer.split()
        return lines[-1] if lines and re.fullmatch(r"\d+(\.[\w.-]+)?", lines[-1]) else None

    def _query(self, numbers: Sequence[str]) -> Sequence[str]:
        # Not -x, by which PBS tells of ended jobs: sites may keep no history, and Torque means XML.
        return ["qstat", "-f", *numbers]

    def _is_of_ended_job(self, complaint: str) -> bool:
        return bool(re.search(r"Unknown Job Id|has finished", complaint))

    def _parse(self, answer: str) -> dict[str, QueuedJob]:
        jobs: dict[str, QueuedJob] = {}
        number = name = ""
        for line in answer.splitlines():
            if match := re.match(r"Job Id: (\S+)", line):
                number, name = match[1], ""
            elif match := re.match(r"\s+Job_Name = (\S+)", line):
                name = match[1]
            # F, X and Torque's C have ended; Q, H, W and T have not begun (qstat(1B)). The name
            # comes before the state.
            elif (match := re.match(r"\s+job_state = (\w)", line)) and match[1] not in "FXC":
                jobs[number] = QueuedJob(name, waits=match[1] in "QHWT")
        return jobs

    def _warning(self, numbers: Sequence[str]) -> Sequence[str]:
        return ["qsig", "-s", "SIGUSR1", *numbers]

    def _cancelling(self, numbers: Sequence[str]) -> Sequence[str]:
        return ["qdel", *numbers]


class LSF(Scheduler):
    """IBM Spectrum LSF."""

    name = "LSF"
    programs = ("bsub", "bjobs", "bkill")
    commands = "`bjobs` shows them, `bkill` ends them"

    def _submit(self, script: Path) -> subprocess.CompletedProcess[str]:
        return _run(["bsub"], script.read_text())  # which reads directives from its input alone

    def _number(self, answer: str) -> str | None:
        match = re.search(r"Job <(\d+)> is submitted", answer)
        return match[1] if match else None

    def _query(self, numbers: Sequence[str]) -> Sequence[str]:
        return ["bjobs", "-noheader", "-o", "jobid stat job_name", *numbers]

    def _is_of_ended_job(self, complaint: str) -> bool:
        return bool(re.search(r"is not found|No (unfinished|matching) job found", complaint))

    def _parse(self, answer: str) -> dict[str, QueuedJob]:
        # bjobs(1): PEND, PSUSP and WAIT have not begun; UNKWN is a host that does not answer.
        waiting, ended = ("PEND", "PSUSP", "WAIT"), ("DONE", "EXIT")
        rows = [line.split(maxsplit=2) for line in answer.splitlines()]
        return {
            number: QueuedJob(name.strip(), waits=state in waiting)
            for number, state, name in (row for row in rows if len(row) == 3)
            if state not in ended
        }

    def _warning(self, numbers: Sequence[str]) -> Sequence[str]:
        return ["bkill", "-s", "USR1", *numbers]

    def _cancelling(self, numbers: Sequence[str]) -> Sequence[str]:
        return ["bkill", *numbers]


SCHEDULERS: Mapping[str, type[Scheduler]] = {"pbs": PBS, "lsf": LSF}
"""Launcher of the section `launch` -> what it speaks to."""
