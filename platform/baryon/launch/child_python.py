"""Start further Python processes as this one: nothing in the working directory is imported.

`python -m` and `python -c` put the working directory first on the path, so that a user's `queue.py`
or `random.py` would be imported instead of the library's. The command `baryon` does not.
"""

from __future__ import annotations

import os
import sys

SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""Environment of processes that libraries start (multiprocessing, submitit)."""


def child_python(*arguments: str) -> list[str]:
    """Return the command that runs this Python with `arguments` and a safe path."""
    return [sys.executable, "-P", *arguments]


def protect_children() -> None:
    """Make all processes that are started from now on leave out the working directory."""
    os.environ.update(SAFE_PATH)
