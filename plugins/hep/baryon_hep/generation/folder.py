"""Keep the folder of a data set: continue what was interrupted, overwrite nothing else."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError, cannot_write
from baryon.system.atomic import atomic_write, remove_temporaries, remove_written
from baryon.system.plain_data import read_json
from baryon_hep.generation.settings import Settings
from baryon_hep.generation.versions import versions

RECORD = "generation.json"
PARTS, PARTS_RECORD = "parts", "settings.json"


OUT = "generate.out"
"""Config key of the folder."""


def is_finished(settings: Settings, folder: Path) -> bool:
    """Return whether the folder holds these events; raise `BaryonError` if it holds others."""
    record = folder / RECORD
    if not record.exists():
        return False
    _require_same(_section(record, "settings"), settings.record(), record)
    return True


def open_folder(settings: Settings, folder: Path) -> None:
    """Make the folder, or continue with the parts of the same settings that it holds.

    Raises
    ------
    BaryonError
        If it holds data of another origin, or cannot be written to.

    """
    now = {"settings": settings.record(), "versions": versions()}
    record = folder / PARTS / PARTS_RECORD
    if record.exists():
        for topic, values in now.items():
            _require_same(_section(record, topic), values, record)
        return
    foreign = sorted(file.name for file in folder.glob("hep_*.h5"))
    if foreign:
        raise BaryonError(
            f"{folder} holds {', '.join(foreign)} but no {RECORD}: not made by this command; "
            f"choose another {OUT}"
        )
    with writing(record) as temporary:
        temporary.write_text(json.dumps(now))


def remove_parts(folder: Path, files: Sequence[Path]) -> None:
    """Remove the files of the parts, their record, and their folder if nothing else is in it."""
    remove_written(folder / PARTS, [PARTS_RECORD, *(file.name for file in files)])


@contextmanager
def writing(file: Path) -> Iterator[Path]:
    """Give a temporary path; when the block ends well it takes the file's place.

    Raises
    ------
    BaryonError
        If the disk is full or not writable.

    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        remove_temporaries(file.parent, [file.name])  # of gigabytes, perhaps
    except OSError as error:
        raise BaryonError(cannot_write(file, error, OUT)) from error
    with atomic_write(file, OUT) as temporary:
        try:
            yield temporary
        except (OSError, RuntimeError) as error:
            number = _error_number(error)
            if number is None:
                raise
            raise OSError(number, os.strerror(number)) from error  # instead of HDF5's long text


def _error_number(error: OSError | RuntimeError) -> int | None:
    """Return the system's error number, which HDF5 gives in words when it closes a file."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    match = re.search(r"errno = (\d+)", str(error))
    return int(match[1]) if match else None


def _section(record: Path, topic: str) -> Mapping[str, Any]:
    """Read a mapping of a record; raise `BaryonError` for one that Baryon would not write."""
    values = read_json(record).get(topic)
    if not isinstance(values, dict):
        raise BaryonError(
            f"{record} is damaged: it does not tell its {topic}; choose another {OUT}"
        )
    return values


def _require_same(before: Mapping[str, Any], now: Mapping[str, Any], record: Path) -> None:
    different = [key for key in now if before.get(key) != now[key]]
    if different:
        changes = ", ".join(f"{key} {before.get(key)} not {now[key]}" for key in different)
        raise BaryonError(
            f"{record} says that the folder holds events of other settings ({changes}); "
            f"choose another {OUT} or the same settings"
        )
