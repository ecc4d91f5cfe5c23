"""The life of a process that looks at HDF5 files before anybody else does.

It opens each file that it is told of and walks over all that a reader may touch: groups, links,
attributes, the forms and chunk lists of datasets, the values of small ones. Damage that makes the
HDF5 library crash, loop or fill the memory ends this process alone. It imports h5py and NumPy.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Any

import h5py

from baryon.data.hdf5.filters import DecodeError
from baryon.data.hdf5.storage_check import data_bytes, problem

SMALL_BYTES = 2**20
"""Datasets of so many bytes, coordinates say, have their values read as well."""
SECONDS = 20
"""Processor time for one object; a library that loops uses it up."""
MEMORY_BYTES = 4 * 2**30
MOST_OBJECTS = 100_000
"""That are looked at in a file; nobody reads more of one."""


def main() -> None:
    """Answer each line of the input, the name of a file as JSON, by a line."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # meant for the command; its end closes the input
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    for line in sys.stdin:
        print(json.dumps(look(json.loads(line))), flush=True)  # noqa: T201


def look(path: str) -> dict[str, str]:
    """Return why values of a dataset must not be read, by the dataset's path.

    What raises an error here raises it for the reader as well, who says it: only want of memory is
    a reason, under the name of the file's root.
    """
    problems: dict[str, str] = {}
    try:
        with h5py.File(path, "r", locking=False) as file:
            for number, (name, item) in enumerate(_objects(file)):
                if number == MOST_OBJECTS:
                    break
                if reason := _look_at(item):
                    problems[name] = reason
    except Exception as error:  # noqa: BLE001
        if _wants_memory(error):
            problems["/"] = f"it wants more than {MEMORY_BYTES:,} bytes of memory"
    return problems


def _objects(file: h5py.File) -> Iterator[tuple[str, Any]]:
    """Every object that hard links lead to, once."""
    waiting: list[tuple[str, Any]] = [("/", file["/"])]
    seen = set()
    while waiting:
        name, item = waiting.pop()
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:
            continue
        seen.add(address)
        yield name, item
        if isinstance(item, h5py.Group):
            waiting += _inside(item, name)


def _inside(group: h5py.Group, name: str) -> Iterator[tuple[str, Any]]:
    for part in _tried(lambda: list(group)) or ():
        _give_time()
        link = _tried(lambda part=part: group.get(part, getlink=True))
        if isinstance(link, h5py.HardLink):
            item = _tried(lambda part=part: group[part])
            if item is not None:
                yield f"{name.rstrip('/')}/{part}", item


def _look_at(item: Any) -> str:
    """Touch all that describes an object; why its values must not be read."""
    _give_time()
    for key in _tried(lambda: list(item.attrs)) or ():
        _tried(lambda key=key: item.attrs[key])
    if not isinstance(item, h5py.Dataset):
        return ""
    _tried(lambda: (item.shape, item.dtype, item.maxshape, item.fillvalue, item.compression))
    try:
        if reason := problem(item):
            return reason
    except DecodeError as error:
        return str(error)
    except MemoryError:
        raise
    except Exception as error:
        if _wants_memory(error):
            raise
        return ""
    if _tried(lambda: data_bytes(item)) is not None and data_bytes(item) <= SMALL_BYTES:
        _tried(lambda: item[()])
    return ""


def _tried(touch: Any) -> Any:
    """What a call gives; None for an error that is no want of memory."""
    try:
        return touch()
    except MemoryError:
        raise
    except Exception as error:
        if _wants_memory(error):
            raise
        return None


def _wants_memory(error: Exception) -> bool:
    text = str(error)
    return isinstance(error, MemoryError) or "memory allocation failed" in text


def _give_time() -> None:
    """Let the next call use `SECONDS` of processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + SECONDS)


def _limit(kind: int, most: int) -> None:
    """Set a limit of this process, unless the system has a lower one."""
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
