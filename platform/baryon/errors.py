"""The error every part of Baryon raises for what a user can put right."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TRACEBACK = "BARYON_TRACEBACK"
"""Set in the environment, an error is also told with where in the code it came from."""


class BaryonError(Exception):
    """Shown as one line on stderr with a non-zero exit code, never as a traceback.

    Say what is wrong, who (plugin, file, rank), what exists instead, and what to do.
    """


class LeaderDiedError(BaryonError):
    """The leader died while all others waited for what it would say; another one leads now.

    All workers raise it at the same call, so whoever can do without the dead may ask once more.
    """


def did_you_mean(names: Iterable[str], wrong: str = "") -> str:
    """The tail of a message about a wrong name: the nearest name, then all that exist."""
    known = sorted(names)
    if not known:
        return "none is available"
    near = difflib.get_close_matches(wrong, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}choose from: {', '.join(known)}"


def format_error(error: Exception) -> str:
    """Another's error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def cannot_write(path: Path, error: OSError, key: str = "run.root") -> str:
    """Describe a file or folder that could not be written, and the key that names another."""
    # An OSError that a library made itself has no `strerror`.
    reason = error.strerror or str(error)
    return f"cannot write {path}: {reason}; make room or give another folder with {key}=<folder>"


def form(value: Any) -> str:
    """Describe what a plugin handed over: dtype and shape of an array or tensor, else its type."""
    # By its attributes: an error needs no import of NumPy or PyTorch.
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return type(value).__name__
