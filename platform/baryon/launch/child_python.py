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


def child_program(statements: str, *arguments: str) -> list[str]:
    """Return the command that runs Python statements where all modules of this process are found.

    A module that lies beside a script or in `PYTHONPATH` is found as it is here, and yet shadows
    none of the standard library.
    """
    path = f"import sys; sys.path[:] = {_module_path()!r}"
    return child_python("-c", f"{path}\n{statements}", *arguments)


def _module_path() -> list[str]:
    import sysconfig  # here: every command imports this module, and few start a program

    # `python script.py` puts the script's folder first. This process has imported the standard
    # library; a new one would take the user's `enum.py` beside the script for it, and not start.
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    standard |= {os.path.join(folder, "lib-dynload") for folder in standard}  # noqa: PTH118
    return sorted(sys.path, key=lambda entry: entry not in standard)


def protect_children() -> None:
    """Make all processes that are started from now on leave out the working directory."""
    os.environ.update(SAFE_PATH)
