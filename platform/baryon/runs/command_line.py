"""Tell how this process was started, for the provenance of what it does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from baryon.terminal.credentials import strip_credentials
from baryon.terminal.notebook import in_notebook

SCRIPTS = ("/baryon", "/baryon/__main__.py")
"""How the path of the program ends in the command line of a process that runs Baryon."""
NOTEBOOK = "JPY_SESSION_NAME"
"""Variable in which Jupyter names the notebook of a kernel."""


def command_line() -> list[str]:
    """Return the command line of this process as it was typed, without credentials.

    It is `baryon ...`, or `python ...` of a program that imports Baryon. A notebook has none, for
    nobody typed that of its kernel: it is `jupyter notebook <name>`.
    """
    return [strip_credentials(word) for word in _typed()]


def _typed() -> list[str]:
    words = sys.orig_argv[1:]  # `sys.argv` lacks the options of Python, such as `-m`
    starts = [n + 1 for n, word in enumerate(words) if word == "baryon" or word.endswith(SCRIPTS)]
    if starts:
        return ["baryon", *words[starts[0] :]]
    if in_notebook():
        name = Path(os.environ.get(NOTEBOOK, "")).name
        return ["jupyter", "notebook", *([name] if name else [])]
    return ["python", *words]
