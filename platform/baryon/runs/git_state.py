"""The git state of a folder: the last commit, and what the folder has beside it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

LARGEST_PATCH = 1_000_000
"""Bytes; of a larger one the hash alone is kept."""
SECONDS = 10.0
"""A git that takes longer (a slow network file system) is not waited for."""


def git_state(folder: Path) -> tuple[dict[str, Any] | None, bytes]:
    """Commit, branch, and whether tracked files differ from it; with the patch that makes it so.

    None where there is no git or no repository. The patch is empty if there is none, or if it is
    larger than `LARGEST_PATCH`. Files that git does not track are counted, not kept.
    """
    if shutil.which("git") is None:
        return None, b""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None, b""
    patch = _git(folder, "diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD") or b""
    untracked = _git(folder, "ls-files", "--others", "--exclude-standard", "--directory") or b""
    state = {
        "commit": commit.decode().strip(),
        "branch": (_git(folder, "rev-parse", "--abbrev-ref", "HEAD") or b"").decode().strip(),
        "changes": hashlib.sha256(patch).hexdigest() if patch else None,
        "patch_bytes": len(patch),
        "untracked": untracked.count(b"\n"),
    }
    return state, patch if len(patch) <= LARGEST_PATCH else b""


def _git(folder: Path, *arguments: str) -> bytes | None:
    # No lock is taken and no index written: the folder may be read-only, or another git at work.
    # No monitor of the file system is started, which a repository can name.
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(folder)]
    command += arguments
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
