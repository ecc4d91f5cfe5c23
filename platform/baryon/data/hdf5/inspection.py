"""Inspect HDF5 files in a separate process first, so that a crash costs one message.

The result is kept in the user's cache under name, size and mtime: an unchanged file is not
inspected again. The process is started when the first file needs it, and serves all files of a
command.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from baryon.data.workers.worker_group import worker_environment
from baryon.errors import BaryonError
from baryon.launch.child_python import child_program
from baryon.system.cache import cached, keep

PROGRAM = "from baryon.data.hdf5.inspection_process import main; main()"
MOST_SECONDS = 600.0
"""Wall time for one file, its disk included; the process bounds its own processor time."""
LAST_BYTES = 1000
"""Bytes of its standard error of which the last line is shown."""
VERSION = 2
"""Version of the cached result; it must change when the process inspects something else."""

_lock = threading.Lock()
_process: subprocess.Popen[str] | None = None
_owner = 0
"""Pid of the process that started it: a fork must not read the answers."""
_stderr: IO[bytes] | None = None
"""What the process writes to its standard error."""
_results: dict[tuple[str, int, int], dict[str, str]] = {}


def inspect(path: Path) -> Mapping[str, str]:
    """Return the reasons why values must not be read, by dataset; empty for a sound file.

    Raises `BaryonError` for a file that crashes the inspecting process.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise BaryonError(f"{path} cannot be read: {error.strerror}") from error
    key = (str(path.resolve()), about.st_size, about.st_mtime_ns)
    with _lock:
        if key not in _results:
            known = _load(key)
            _results[key] = _inspect(path, key) if known is None else known
        problems = _results[key]
    if "/" in problems:
        raise _damaged(path, problems["/"])
    return problems


def _load(key: tuple[str, int, int]) -> dict[str, str] | None:
    entry = cached("hdf5-inspection", _cache_key(key))
    problems = entry.get("problems") if entry else None
    if not isinstance(problems, dict):
        return None
    return {str(name): str(reason) for name, reason in problems.items()}


def _inspect(path: Path, key: tuple[str, int, int]) -> dict[str, str]:
    problems = _ask(path)
    keep("hdf5-inspection", _cache_key(key), {"problems": problems})
    return problems


def _cache_key(key: tuple[str, int, int]) -> dict[str, Any]:
    import h5py

    versions = [VERSION, h5py.version.hdf5_version]
    return {"file": key, "versions": versions}


def _ask(path: Path) -> dict[str, str]:
    global _process, _owner
    if _process is None or _owner != os.getpid() or _process.poll() is not None:
        _process, _owner = _start(), os.getpid()
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
        raise _damaged(path, f"not done after {MOST_SECONDS:g} s")
    raise _ended(path, process)


def _start() -> subprocess.Popen[str]:
    global _stderr
    if _stderr is not None:
        _stderr.close()
    # A file, not a pipe, which nobody reads while the process runs and which it could fill.
    _stderr = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the process
    process = subprocess.Popen(  # noqa: S603
        child_program(PROGRAM),
        env=worker_environment(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=_stderr,
        start_new_session=True,  # signals to the command's process group are not meant for it
        text=True,
    )
    atexit.register(_stop, process)
    return process


def _stop(process: subprocess.Popen[str]) -> None:
    """End the process, at the end of the command."""
    process.kill()
    process.communicate()
    if _stderr is not None:
        _stderr.close()


def _ended(path: Path, process: subprocess.Popen[str]) -> BaryonError:
    """Return the error for a process that no longer answers."""
    try:
        code = process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if code < 0:
        return _damaged(path, f"by {signal.Signals(-code).name}")
    # The library ends its process by signals alone: this one could not run, whatever the file.
    reason = _last_line_of_stderr() or f"exit code {code}"
    return BaryonError(
        f"{path} cannot be inspected: the process that inspects HDF5 files failed ({reason})"
    )


def _last_line_of_stderr() -> str:
    if _stderr is None:
        return ""
    _stderr.seek(max(0, _stderr.seek(0, os.SEEK_END) - LAST_BYTES))
    lines = _stderr.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _damaged(path: Path, how: str) -> BaryonError:
    return BaryonError(
        f"{path} is damaged: the HDF5 library does not survive it (its inspection in a separate "
        f"process ended: {how}); fetch or generate it again"
    )
