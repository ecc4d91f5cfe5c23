"""Keep the id that a tracker has given a run in the run's folder, for when it is resumed."""

from __future__ import annotations

from pathlib import Path

from baryon.errors import BaryonError
from baryon.system.atomic import write_text
from baryon.system.plain_data import read_text

LARGEST_ID = 200


def read(path: Path) -> str | None:
    """Return the id in a file; None if there is none yet. Raises `BaryonError` for what is none."""
    if not path.is_file():
        return None
    identifier = read_text(path, LARGEST_ID).strip()
    if not identifier.isalnum():  # it becomes part of a path or an address
        raise BaryonError(f"{path} does not hold the id of a run")
    return identifier


def write(path: Path, identifier: str) -> None:
    """Write the id into a file."""
    write_text(path, f"{identifier}\n")
