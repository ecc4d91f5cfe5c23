"""Tell by their names which checkpoints a folder has; PyTorch is not needed for that."""

from __future__ import annotations

import re
from pathlib import Path

LAST, BEST, EMA = "last.pt", "best.pt", "ema.pt"
# A user may keep files of other names beside them, such as step-00000120-before-the-fix.pt.
OF_STEP = re.compile(r"step-(\d{8,})\.pt")


def steps(folder: Path) -> list[Path]:
    """Return the checkpoints that bear the number of their step, the newest first."""
    by_step = {int(match[1]): path for path, match in named(folder, OF_STEP)}
    return [by_step[step] for step in sorted(by_step, reverse=True)]


def named(folder: Path, pattern: re.Pattern[str]) -> list[tuple[Path, re.Match[str]]]:
    """Return the files of a folder whose whole name matches a pattern, each with its match."""
    matches = ((path, pattern.fullmatch(path.name)) for path in list(folder.glob("*")))
    return [(path, match) for path, match in matches if match]


def has_checkpoint(folder: Path) -> bool:
    """Return whether there is a checkpoint, damaged or not, that a run may go on from.

    `best.pt` alone is none: it holds weights, and a run killed at the right moment has only that.
    """
    return (folder / LAST).is_file() or bool(steps(folder))
