"""Find or make the folder of a sweep, and lock it for one process at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from baryon.errors import BaryonError, cannot_write
from baryon.system import locks


@contextmanager
def opened(root: Path, name: str, *, fresh: bool) -> Iterator[Path]:
    """Give `root/sweep-<name>`, or the newest of `-2`, `-3`, ... that `fresh` has made beside it.

    Raises `BaryonError` if another process runs this sweep now, or the folder is not writable.
    """
    path = _make_new(root, name) if fresh else _newest(root, name)
    refusal = (
        f"{path} is being run by {{holder}}: wait for it, stop it, or begin another sweep of the "
        "same jobs by sweep.fresh=true"
    )
    with locks.held(path, refusal):
        yield path


def _names(root: Path, name: str) -> Iterator[Path]:
    yield root / f"sweep-{name}"
    yield from (root / f"sweep-{name}-{number}" for number in itertools.count(2))


def _newest(root: Path, name: str) -> Path:
    existing = list(itertools.takewhile(Path.is_dir, _names(root, name)))
    path = existing[-1] if existing else next(_names(root, name))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BaryonError(cannot_write(path, error)) from error
    return path


def _make_new(root: Path, name: str) -> Path:
    for path in _names(root, name):
        try:
            path.mkdir(parents=True)  # which makes a folder for one process only
        except FileExistsError:
            continue
        except OSError as error:
            raise BaryonError(cannot_write(path, error)) from error
        return path
    raise AssertionError
