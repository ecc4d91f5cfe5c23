"""Have GRIB read by a process of its own, `grib_codes`, so that a crash costs one message.

The process is started when the first file needs it, and serves all files of this process.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.data.workers.worker_group import worker_environment
from baryon.errors import BaryonError
from baryon.launch.child_python import child_program

PROGRAM = "from baryon_climate.dataset.grib_codes import main; main()"
MOST_SECONDS = 600.0
"""Wall time for one answer, its disk included; the process bounds its own processor time."""

_lock = threading.Lock()
_process: subprocess.Popen[bytes] | None = None
_owner = 0
"""Pid of the process that started it: a fork must not read the answers."""


def read_headers(path: Path) -> Sequence[Mapping[str, Any]]:
    """Return what the header of each field of a file says; the keys are those of `grib_codes`.

    Raises `BaryonError` for a file that cannot be read, and `ImportError` without ecCodes.
    """
    if find_spec("eccodes") is None:
        raise ModuleNotFoundError("No module named 'eccodes'", name="eccodes")
    answer, _ = _ask(path, {})
    if "error" in answer:
        raise BaryonError(f"{path} cannot be read as GRIB {answer['error']}: is it complete?")
    fields: Sequence[Mapping[str, Any]] = answer["fields"]
    return fields


def read_field(
    path: Path, offset: int, part: int, shape: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Decode a field (rows, columns); NaN where it has no value.

    Raises `BaryonError` if it cannot be decoded.
    """
    request = {"offset": offset, "part": part, "points": int(np.prod(shape))}
    answer, values = _ask(path, request)
    if "error" in answer:
        raise BaryonError(f"{path}: a field cannot be decoded {answer['error']}")
    return np.frombuffer(values, np.float32).reshape(shape)


def _ask(path: Path, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return the answer, and the values that follow it."""
    global _process, _owner
    with _lock:
        if _process is None or _owner != os.getpid() or _process.poll() is not None:
            _process, _owner = _start(), os.getpid()
        process = _process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = json.dumps({"path": str(path.absolute()), **request}) + "\n"
            process.stdin.write(line.encode())
            process.stdin.flush()
            ready = select.select([process.stdout], [], [], MOST_SECONDS)[0]
            answer = json.loads(process.stdout.readline()) if ready else {}
            values = process.stdout.read(answer.get("bytes", 0)) if ready else b""
        except (OSError, ValueError):  # it has ended
            ready, answer, values = [process.stdout], {}, b""
        if not answer or len(values) < answer.get("bytes", 0):
            _process = None
            raise _ended(path, process, in_time=bool(ready))
    return answer, values


def _start() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603
        child_program(PROGRAM),
        env=worker_environment(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # of what is wrong ecCodes prints more than it raises
        start_new_session=True,  # signals to the command's process group are not meant for it
    )
    atexit.register(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process, at the end of the command."""
    process.kill()
    process.communicate()


def _ended(path: Path, process: subprocess.Popen[bytes], *, in_time: bool) -> BaryonError:
    """Return the error for a process that no longer answers."""
    try:
        code = process.wait(5 if in_time else 0)
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        how = f"not done after {MOST_SECONDS:g} s"
    return BaryonError(
        f"{path} is damaged: ecCodes does not survive it (the separate process that reads it "
        f"ended: {how}); fetch the file again"
    )


def _after_fork() -> None:
    """Give a fork a lock of its own: a thread that held it is not in the fork."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
