"""Inspect HDF5 files before they are read: the main program of a process of its own.

It opens each file and visits everything that a reader may touch: groups, links, attributes, the
shapes and chunk lists of datasets, the values of small ones. Damage that makes the HDF5 library
crash, loop or fill the memory ends only this process. It imports h5py and NumPy alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import h5py

from baryon.data.hdf5.filters import DecodeError
from baryon.data.hdf5.storage_check import data_bytes, unsafe_reason
from baryon.system.process_limits import extend_cpu_limit, guard_process

SMALL_BYTES = 2**20
"""Datasets up to this size, such as coordinates, have their values read as well."""
SECONDS = 20
"""Processor time for one object; an endless loop in the library uses it up."""
MEMORY_BYTES = 4 * 2**30
"""Address space of the process."""
MOST_OBJECTS = 100_000
"""Objects of a file that are inspected; a run reads a few."""


def main() -> None:
    """Answer each line of standard input, a file name as JSON, with a line of JSON."""
    guard_process(MEMORY_BYTES)
    for line in sys.stdin:
        print(json.dumps(look(json.loads(line))), flush=True)  # noqa: T201


def look(path: str) -> dict[str, str]:
    """Return the reasons why values must not be read, by the dataset's path.

    An ordinary error is left to the reader, who meets and reports it as well. Only lack of memory
    is a reason here, under the name of the root group.
    """
    problems: dict[str, str] = {}
    try:
        with h5py.File(path, "r", locking=False) as file:
            for number, (name, item) in enumerate(_objects(file)):
                if number == MOST_OBJECTS:
                    break
                if reason := _inspect_object(item):
                    problems[name] = reason
    except Exception as error:  # noqa: BLE001
        if _is_out_of_memory(error):
            problems["/"] = f"it needs more than {MEMORY_BYTES:,} bytes of memory"
    return problems


def _objects(file: h5py.File) -> Iterator[tuple[str, Any]]:
    """Yield every object that hard links refer to, once."""
    stack: list[tuple[str, Any]] = [("/", file["/"])]
    seen = set()
    while stack:
        name, item = stack.pop()
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:  # hard links may form a cycle
            continue
        seen.add(address)
        yield name, item
        if isinstance(item, h5py.Group):
            stack += _inside(item, name)


def _inside(group: h5py.Group, name: str) -> Iterator[tuple[str, Any]]:
    for part in _attempt(lambda: list(group)) or ():
        extend_cpu_limit(SECONDS)
        link = _attempt(lambda part=part: group.get(part, getlink=True))
        if isinstance(link, h5py.HardLink):
            item = _attempt(lambda part=part: group[part])
            if item is not None:
                yield f"{name.rstrip('/')}/{part}", item


def _inspect_object(item: Any) -> str:
    """Read an object's description; return why its values must not be read."""
    extend_cpu_limit(SECONDS)
    for key in _attempt(lambda: list(item.attrs)) or ():
        _attempt(lambda key=key: item.attrs[key])
    if not isinstance(item, h5py.Dataset):
        return ""
    _attempt(lambda: (item.shape, item.dtype, item.maxshape, item.fillvalue, item.compression))
    try:
        if reason := unsafe_reason(item):
            return reason
    except DecodeError as error:
        return str(error)
    except MemoryError:
        raise
    except Exception as error:
        if _is_out_of_memory(error):
            raise
        return ""
    if _attempt(lambda: data_bytes(item)) is not None and data_bytes(item) <= SMALL_BYTES:
        _attempt(lambda: item[()])
    return ""


def _attempt(touch: Any) -> Any:
    """Return the result of a call; None for an error other than lack of memory."""
    try:
        return touch()
    except MemoryError:
        raise
    except Exception as error:
        if _is_out_of_memory(error):
            raise
        return None


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error)
    return isinstance(error, MemoryError) or "memory allocation failed" in text
