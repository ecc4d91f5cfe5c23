"""The folder of a data set: what it holds already, and whether that may be gone on with."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError
from baryon_hep.generation.settings import Settings
from baryon_hep.generation.versions import versions

RECORD = "generation.json"
PARTS, PARTS_RECORD = "parts", "settings.json"


def is_finished(settings: Settings, folder: Path) -> bool:
    """Whether the folder holds these events. Raises `BaryonError` if it holds others."""
    record = folder / RECORD
    if not record.exists():
        return False
    _require_same(json.loads(record.read_text())["settings"], settings.record(), record)
    return True


def open_folder(settings: Settings, folder: Path) -> None:
    """Make the folder, or go on with the parts of the same settings that it holds.

    Raises `BaryonError` if it holds data of another origin or cannot be written to.
    """
    now = {"settings": settings.record(), "versions": versions()}
    record = folder / PARTS / PARTS_RECORD
    if record.exists():
        before = json.loads(record.read_text())
        for topic in now:
            _require_same(before[topic], now[topic], record)
        return
    foreign = sorted(file.name for file in folder.glob("hep_*.h5"))
    if foreign:
        raise BaryonError(
            f"{folder} holds {', '.join(foreign)} but no {RECORD}: not made by this command; "
            "choose another generate.out"
        )
    with writing(record) as temporary:
        temporary.write_text(json.dumps(now))


@contextmanager
def writing(file: Path) -> Iterator[Path]:
    """Another name to write to; the file gets its own when it is complete.

    Raises `BaryonError` if the disk is full or does not let itself be written to.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        for left_behind in file.parent.glob(f".{file.name}.*"):
            left_behind.unlink(missing_ok=True)
        yield temporary
        temporary.replace(file)
    except (OSError, RuntimeError) as error:
        number = _error_number(error)
        if number is None:
            raise
        raise BaryonError(
            f"cannot write {file}: {os.strerror(number)}; make room or choose another "
            "generate.out, then run the same command again: finished parts are kept"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _error_number(error: OSError | RuntimeError) -> int | None:
    """HDF5 tells of a disk that is full in words, if it is when a file is closed that it is."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    match = re.search(r"errno = (\d+)", str(error))
    return int(match[1]) if match else None


def _require_same(before: Mapping[str, Any], now: Mapping[str, Any], record: Path) -> None:
    different = [key for key in now if before.get(key) != now[key]]
    if different:
        changes = ", ".join(f"{key} {before.get(key)} not {now[key]}" for key in different)
        raise BaryonError(
            f"{record} says that the folder holds events of other settings ({changes}); "
            "choose another generate.out or the same settings"
        )
