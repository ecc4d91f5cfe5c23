"""The contract of a communicator as checks that really run on several ranks.

In the test of a plugin that brings one:

    from baryon.testing import check_communicator

    def test_mine():
        check_communicator("my_comm", ranks=3, options={"groups": 1})

The checks run under mpiexec, or in one process for `ranks=1`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from baryon.launch.child_python import child_python
from baryon.launch.mpiexec import launch_command, launch_environment
from baryon.testing.communicator_checks import CHECKS, SECONDS_TO_ABORT

RANK = "import sys; from baryon.testing.communicator_checks import main; main(*sys.argv[1:])"
"""What each rank runs."""


def check_communicator(
    name: str,
    *,
    ranks: int,
    options: Mapping[str, Any] | None = None,
    like_serial: bool = False,
    seconds: float = 60.0,
) -> None:
    """Check a communicator on so many ranks: roles, sums, first and last weights, stops, state.

    Parameters
    ----------
    name
        The option in the group `comm`.
    ranks
        The number of processes, workers and servers together.
    options
        Keys of the option that differ from its YAML.
    like_serial
        Whether it promises the weights of one process on the union of the workers' batches, to
        float tolerance.
    seconds
        The time after which a check counts as hung.

    Raises
    ------
    AssertionError
        With the check that failed, the rank and the reason.

    """
    settings = {"options": dict(options or {}), "like_serial": like_serial, "seconds": seconds}
    with tempfile.TemporaryDirectory() as folder:
        reasons = Path(folder) / "reasons"
        command = child_python("-c", RANK, name, json.dumps(settings), str(reasons))
        if ranks > 1:
            command = launch_command(ranks, command)
        limit = (len(CHECKS) + 2) * seconds
        code, errors = _run(command, launch_environment(ranks), reasons, limit)
        reason = reasons.read_text(encoding="utf-8") if reasons.is_file() else errors[-2000:]
        if code or reasons.is_file():  # mpiexec that spares survivors may say 0
            raise AssertionError(f"communicator {name!r} on {ranks} ranks: {reason.strip()}")


def _run(
    command: Sequence[str], environment: Mapping[str, str], reasons: Path, limit: float
) -> tuple[int, str]:
    """Return exit code and standard error; after `limit` seconds all processes are ended."""
    until = time.monotonic() + limit
    with subprocess.Popen(  # noqa: S603
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that the ranks are ended with it
    ) as process:
        while True:
            try:
                errors = process.communicate(timeout=min(limit, 2 * SECONDS_TO_ABORT))[1]
            except subprocess.TimeoutExpired:
                if time.monotonic() > until and not reasons.exists():
                    reasons.write_text(f"not done in {limit:g} s: the ranks hang, or never began")
                # Open MPI 5.0.11's mpiexec may wait for ever for ranks that have all gone, when two
                # of them have called MPI_Abort at once: it is ended soon after a fault was found.
                if reasons.is_file():
                    _end(process)
            except BaseException:
                _end(process)
                raise
            else:
                return process.returncode, errors


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
