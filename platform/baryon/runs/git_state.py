"""Read the git state of a folder: its last commit, and what differs from it.

A repository may come from somebody else, and its configuration can name programs for git to run.
None of them is run here, and nothing outside its working tree is compared.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from baryon.system.plain_data import Shape, is_count, is_text, optional

LARGEST_PATCH = 1_000_000
"""Bytes of the largest patch that is kept; of a larger one only the hash is."""
SECONDS = 10.0
"""Time that git may take, for example on a slow network file system."""
UNKNOWN = "unknown"
"""Value of `changes` where git could not tell them."""
USERS_OWN = ("system", "global", "command")
"""Scopes of git's configuration that do not come with a repository."""
NO_NETWORK = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}
"""Keeps git from fetching a missing object, by a program that the repository may name."""
GIT_DIR = ("rev-parse", "--absolute-git-dir")
DIFF = (
    # Submodules are compared by their commits alone: each has a configuration of its own.
    "diff", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty", "--submodule=short",
    "--binary", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "HEAD",
)  # fmt: skip


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
    changes : SHA-256 of the patch with all uncommitted changes; None if there are none,
        `UNKNOWN` if git could not make it
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
        None where there is no git, no repository or no commit.
    patch : bytes
        The uncommitted changes of tracked files, for `git apply`; empty if there are none, or if
        they are larger than `LARGEST_PATCH`.

    """
    if shutil.which("git") is None:
        return None, b""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None or not _is_in_own_tree(folder):
        return None, b""
    patch = _patch(folder)
    untracked = _git(folder, "ls-files", "--others", "--exclude-standard", "--directory") or b""
    state = GitState(
        commit=commit.decode().strip(),
        branch=(_git(folder, "rev-parse", "--abbrev-ref", "HEAD") or b"").decode().strip(),
        changes=UNKNOWN if patch is None else _digest(patch),
        patch_bytes=len(patch or b""),
        untracked=untracked.count(b"\n"),
    )
    return state, patch if patch and len(patch) <= LARGEST_PATCH else b""


def _digest(patch: bytes) -> str | None:
    return hashlib.sha256(patch).hexdigest() if patch else None


def _is_in_own_tree(folder: Path) -> bool:
    """Return whether the working tree is the one that the repository lies in.

    `core.worktree` in its configuration may name any folder, whose files would be compared.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None:
        return False
    tree = Path(os.fsdecode(top.removesuffix(b"\n")))
    repository = _git(folder, *GIT_DIR)
    return repository is not None and repository == _git(tree, *GIT_DIR)


def _patch(folder: Path) -> bytes | None:
    """Return the uncommitted changes; None if git cannot make the patch without foreign programs.

    A clean filter is a program that git runs on changed files before it compares them. Those of the
    user's own configuration (Git LFS) are run; those that the repository defines are not.
    """
    filters = _repository_filters(folder)
    # The name of an option ends at its first "=": such a filter cannot be switched off.
    if filters is None or any("=" in name for name in filters):
        return None
    switched_off = [
        option
        for name in filters
        for key in ("clean=", "process=", "required=false")
        for option in ("-c", f"{name}.{key}")
    ]
    return _git(folder, *DIFF, options=switched_off)


def _repository_filters(folder: Path) -> set[str] | None:
    """Return the keys `filter.<name>` that the repository's own configuration defines."""
    pattern = ("--name-only", "--get-regexp", r"^filter\.")
    listed = _git(folder, "config", "--show-scope", "--null", *pattern, none_found=1)
    if listed is None:
        return None
    words = os.fsdecode(listed).split("\0")
    keys = zip(words[0::2], words[1::2], strict=False)
    return {key.rpartition(".")[0] for scope, key in keys if scope not in USERS_OWN}


def _git(
    folder: Path, *arguments: str, options: Sequence[str] = (), none_found: int = 0
) -> bytes | None:
    """Return what git prints; None if it fails, with an exit code other than `none_found`."""
    # No lock is taken and no index written: the folder may be read-only, or another git at work.
    # No monitor of the file system and no hook is started, which a repository can name.
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false"]
    command += ["-c", f"core.hooksPath={os.devnull}", *options, "-C", str(folder), *arguments]
    environment: Mapping[str, str] = os.environ | NO_NETWORK
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, check=False, timeout=SECONDS, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode in (0, none_found) else None
