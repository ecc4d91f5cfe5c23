"""A first look at HDF5 files by a process of its own, so that a crash costs one message.

What it says of a file is kept in the user's cache, keyed by name, size and time of change: an
unchanged file is not looked at again. The process is started when the first file needs it, and
serves all files of a command.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baryon.data.workers.worker_group import environment
from baryon.errors import BaryonError
from baryon.system.cache import cached, keep

LIFE = "from baryon.data.hdf5.inspection_process import main; main()"
MOST_SECONDS = 600.0
"""For one file, waiting for its disk included; processor time is bounded in the process."""
VERSION = 1
"""Of what is kept: a change of what the process looks at must change it."""

_lock = threading.Lock()
_process: subprocess.Popen[str] | None = None
_owner = 0
"""Process that started it; a fork of that must not read its answers."""
_seen: dict[tuple[str, int, int], dict[str, str]] = {}


def inspect(path: Path) -> Mapping[str, str]:
    """Return why values must not be read, by the path of the dataset; empty for a sound file.

    Raises `BaryonError` for a file that ends the process that looks at it.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise BaryonError(f"{path} cannot be read: {error.strerror}") from error
    key = (str(path.resolve()), about.st_size, about.st_mtime_ns)
    with _lock:
        if key not in _seen:
            kept = _kept(key)
            _seen[key] = _looked_at(path, key) if kept is None else kept
        problems = _seen[key]
    if "/" in problems:
        raise _damaged(path, problems["/"])
    return problems


def _kept(key: tuple[str, int, int]) -> dict[str, str] | None:
    kept = cached("hdf5-inspection", _described(key))
    problems = kept.get("problems") if kept else None
    if not isinstance(problems, dict):
        return None
    return {str(name): str(reason) for name, reason in problems.items()}


def _looked_at(path: Path, key: tuple[str, int, int]) -> dict[str, str]:
    problems = _ask(path)
    keep("hdf5-inspection", _described(key), {"problems": problems})
    return problems


def _described(key: tuple[str, int, int]) -> dict[str, Any]:
    import h5py

    versions = [VERSION, h5py.version.hdf5_version]
    return {"file": key, "versions": versions}


def _ask(path: Path) -> dict[str, str]:
    global _process, _owner
    if _process is None or _owner != os.getpid() or _process.poll() is not None:
        _process, _owner = _started(), os.getpid()
    process = _process
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(str(path.absolute())) + "\n")
        process.stdin.flush()
        ready = select.select([process.stdout], [], [], MOST_SECONDS)[0]
        line = process.stdout.readline() if ready else ""
    except OSError:  # it has ended
        line, ready = "", [process.stdout]
    if line:
        return dict(json.loads(line))
    _process = None
    if not ready:
        process.kill()
    raise _damaged(path, _end(process) if ready else f"not done after {MOST_SECONDS:g} s")


def _started() -> subprocess.Popen[str]:
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-c", LIFE],
        env=environment(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # no signal that is meant for the command
        text=True,
    )
    atexit.register(_stop, process)
    return process


def _stop(process: subprocess.Popen[str]) -> None:
    """At the end of the command."""
    process.kill()
    process.communicate()


def _end(process: subprocess.Popen[str]) -> str:
    """How the process ended that answers no more."""
    try:
        code = process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def _damaged(path: Path, how: str) -> BaryonError:
    return BaryonError(
        f"{path} is damaged: the HDF5 library does not survive it (a first look in a process of "
        f"its own ended: {how}); fetch or generate it again"
    )
