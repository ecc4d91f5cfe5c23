"""When two jobs are the same job, and two commands the same sweep."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baryon.config.config import Config
from baryon.runs.sweep_file import choices_text

NOT_DECISIVE = ("hydra.", "launch.", "launch=", "run.", "sweep.", "sweep=")
"""How arguments start that say where jobs run, are written and compared, not what they are."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep before it has a place: `overrides` are what Hydra composed it from."""

    overrides: Sequence[str]
    choices: Mapping[str, Any]
    config: Config

    @property
    def id(self) -> str:
        """The hash of all that decides the result, however it was written on the command line."""
        return self.config.digest

    def __str__(self) -> str:
        return choices_text(self.choices)


def sweep_id(method: str, arguments: Sequence[str]) -> str:
    """The hash of a swept command, whatever the order of its arguments and wherever it runs."""
    decisive = sorted(one for one in arguments if not one.startswith(NOT_DECISIVE))
    text = json.dumps([method, *decisive])
    return hashlib.sha256(text.encode()).hexdigest()[:8]
