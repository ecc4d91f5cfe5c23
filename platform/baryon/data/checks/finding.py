"""What a check reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with data, or slow, or worth knowing."""

    split: str
    text: str
    refused: bool = False
    """Whether training on such data would stop, or mean nothing."""


@dataclass(frozen=True)
class CheckResult:
    """One of the checks of a dataset, with what it has found."""

    name: str
    """What holds if nothing was found, as a sentence without its full stop."""
    findings: Sequence[Finding]
    skipped: str = ""
    """Why the check could not be made; "" if it was."""

    @property
    def state(self) -> str:
        """`passed`, `warning`, `refused`, or `skipped`."""
        if self.skipped:
            return "skipped"
        if any(finding.refused for finding in self.findings):
            return "refused"
        return "warning" if self.findings else "passed"
