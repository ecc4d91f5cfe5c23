"""Read the git state of a folder: the last commit, and what the folder has beside it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from baryon.system.plain_data import Shape, is_count, is_text, optional

LARGEST_PATCH = 1_000_000
"""Bytes; of a larger patch only the hash is kept."""
SECONDS = 10.0
"""Time limit of one git command, which may hang on a slow network file system."""

GIT_SHAPE: Shape = {
    "commit": is_text, "branch": is_text, "changes": optional(is_text), "patch_bytes": is_count,
    "untracked": is_count,
}  # fmt: skip


@dataclass(frozen=True)
class GitState:
    """The state of a repository.

    Attributes
    ----------
    commit : hash of the last commit
    branch : name of the branch, "HEAD" if none is checked out
    changes : SHA-256 of the patch with all uncommitted changes; None if there are none
    patch_bytes : length of that patch
    untracked : number of files and folders that git does not track

    """

    commit: str
    branch: str
    changes: str | None
    patch_bytes: int
    untracked: int


def git_state(folder: Path) -> tuple[GitState | None, bytes]:
    """Read the state of the repository that a folder belongs to, and change nothing there.

    Returns
    -------
    state : GitState or None
        None where there is no git or no repository.
    patch : bytes
        The uncommitted changes of tracked files, for `git apply`; empty if there are none, or if
        they are larger than `LARGEST_PATCH`.

    """
    if shutil.which("git") is None:
        return None, b""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None, b""
    patch = _git(folder, "diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD") or b""
    untracked = _git(folder, "ls-files", "--others", "--exclude-standard", "--directory") or b""
    state = GitState(
        commit=commit.decode().strip(),
        branch=(_git(folder, "rev-parse", "--abbrev-ref", "HEAD") or b"").decode().strip(),
        changes=hashlib.sha256(patch).hexdigest() if patch else None,
        patch_bytes=len(patch),
        untracked=untracked.count(b"\n"),
    )
    return state, patch if len(patch) <= LARGEST_PATCH else b""


def _git(folder: Path, *arguments: str) -> bytes | None:
    """Run a git command in a folder; return its output, None if it fails or takes too long."""
    # No lock is taken and no index written: the folder may be read-only, or another git at work.
    # No monitor of the file system is started, which a repository can name.
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(folder)]
    command += arguments
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
