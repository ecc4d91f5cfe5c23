"""Tell whether two jobs are the same job, and two commands the same sweep."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baryon.config.config import Config
from baryon.runs.sweep_file import choices_text

# Where jobs run, are written and compared does not change what they compute: neither the hash of a
# job nor that of a sweep may depend on it.
NOT_DECISIVE = ("hydra.", "launch.", "launch=", "run.", "sweep.", "sweep=")
"""Beginnings of the arguments that do not decide what a job computes."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep, composed and checked.

    Attributes
    ----------
    asked : what the command set of the keys that a run's own file cannot set
        (`baryon.config.config.BY_COMMAND_ALONE`)
    choices : value of each swept key
    config : the frozen config

    """

    asked: Mapping[str, Any]
    choices: Mapping[str, Any]
    config: Config

    @property
    def id(self) -> str:
        """Hash of all that decides the result, however it was written on the command line."""
        return self.config.digest

    def __str__(self) -> str:
        return choices_text(self.choices)


def sweep_id(method: str, arguments: Sequence[str]) -> str:
    """Return the hash of a swept command, whatever the order of its arguments."""
    decisive = sorted(a for a in arguments if not a.startswith(NOT_DECISIVE))
    text = json.dumps([method, *decisive])
    return hashlib.sha256(text.encode()).hexdigest()[:8]
