"""The git state of a folder is read, and never changed."""

import hashlib
import os
import subprocess

import pytest

from baryon.runs import git_state as module
from baryon.runs.git_state import UNKNOWN, git_state


def git(folder, *arguments):
    identity = ("-c", "user.name=x", "-c", "user.email=x@y")
    command = ["git", *identity, "-C", folder, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    git(tmp_path, "init", "--initial-branch=trunk", folder)
    (folder / "code.py").write_text("a = 1\n")
    git(folder, "add", "code.py")
    git(folder, "commit", "-m", "first")
    return folder


@pytest.fixture
def trap(tmp_path):
    """A program that leaves a mark where it is run, and the mark."""
    program, mark = tmp_path / "program", tmp_path / "mark"
    program.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    program.chmod(0o755)
    return program, mark


def test_no_repository_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) == (None, b"")


def test_a_clean_one_has_a_commit_and_no_patch(repository):
    state, patch = git_state(repository)
    assert len(state.commit) == 40
    assert (state.branch, state.changes, state.untracked) == ("trunk", None, 0)
    assert patch == b""


def test_the_patch_makes_the_folder_again(repository, tmp_path_factory):
    (repository / "code.py").write_text("a = 2\n")
    (repository / "new.txt").write_text("not tracked")
    state, patch = git_state(repository)
    assert state.changes == hashlib.sha256(patch).hexdigest()
    assert state.untracked == 1
    other = tmp_path_factory.mktemp("clone")
    subprocess.run(["git", "clone", "-q", repository, other / "it"], check=True)
    subprocess.run(["git", "-C", other / "it", "apply"], input=patch, check=True)
    assert (other / "it" / "code.py").read_text() == "a = 2\n"


def test_of_a_large_patch_the_hash_alone_is_kept(repository, monkeypatch):
    (repository / "code.py").write_text("a = 2\n" * 100)
    monkeypatch.setattr(module, "LARGEST_PATCH", 100)
    state, patch = git_state(repository)
    assert patch == b""
    assert state.changes
    assert state.patch_bytes > 100


def test_git_that_hangs_or_is_missing_is_none(repository, monkeypatch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bin")
    (folder / "git").write_text("#!/bin/sh\nsleep 30\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setattr(module, "SECONDS", 0.2)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    assert git_state(repository) == (None, b"")
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("nothing")))
    assert git_state(repository) == (None, b"")


@pytest.mark.parametrize("key", ["clean", "process"])
def test_no_filter_of_the_repository_is_run(repository, trap, key):
    program, mark = trap
    (repository / ".gitattributes").write_text("*.py filter=trap\n")
    git(repository, "config", f"filter.trap.{key}", program)
    git(repository, "config", "filter.trap.required", "true")
    (repository / "code.py").write_text("a = 2\n")
    state, patch = git_state(repository)
    assert b"+a = 2" in patch
    assert state.patch_bytes == len(patch)
    assert not mark.exists()
    subprocess.run(["git", "-C", repository, "diff", "HEAD"], capture_output=True, check=False)
    assert mark.exists()  # a trap indeed


def test_filter_that_cannot_be_switched_off_leaves_the_changes_unknown(repository, trap):
    program, mark = trap
    (repository / ".gitattributes").write_text("*.py filter=a=b\n")
    git(repository, "config", "filter.a=b.clean", program)
    (repository / "code.py").write_text("a = 2\n")
    state, patch = git_state(repository)
    assert (state.changes, state.patch_bytes, patch) == (UNKNOWN, 0, b"")
    assert not mark.exists()


def test_filter_of_the_user_is_run(repository, trap, monkeypatch, tmp_path):
    program, mark = trap
    (tmp_path / ".gitconfig").write_text(f'[filter "own"]\n\tclean = {program}\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    (repository / ".gitattributes").write_text("*.py filter=own\n")
    (repository / "code.py").write_text("a = 2\n")
    assert b"+a = 2" in git_state(repository)[1]
    assert mark.exists()


def test_missing_object_is_not_fetched(repository, trap, tmp_path):
    program, mark = trap
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")  # one that does not wait for its input
    name = git(repository, "rev-parse", "HEAD:code.py")
    (repository / ".git" / "objects" / name[:2] / name[2:]).unlink()
    for key, value in {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(tmp_path),
        "remote.origin.uploadpack": str(program),
    }.items():
        git(repository, "config", key, value)
    (repository / "code.py").write_text("a = 2\n")
    state, patch = git_state(repository)
    assert (state.changes, patch) == (UNKNOWN, b"")
    assert not mark.exists()
    subprocess.run(["git", "-C", repository, "diff", "HEAD"], capture_output=True, check=False)
    assert mark.exists()


def test_submodules_and_their_filters_are_left_alone(repository, trap, tmp_path):
    program, mark = trap
    inner = repository / "inner"
    git(tmp_path, "init", inner)
    (inner / ".gitattributes").write_text("*.py filter=trap\n")
    (inner / "code.py").write_text("a = 1\n")
    git(inner, "add", ".")
    git(inner, "commit", "-m", "inner")
    git(repository, "add", "inner")
    git(repository, "commit", "-m", "with inner")
    git(inner, "config", "filter.trap.clean", program)
    (inner / "code.py").write_text("a = 2\n")
    assert git_state(repository)[0].changes is None
    assert not mark.exists()
    subprocess.run(["git", "-C", repository, "diff", "HEAD"], capture_output=True, check=False)
    assert mark.exists()


def test_files_outside_of_the_repository_are_not_compared(repository, tmp_path):
    (tmp_path / "code.py").write_text("secret\n")
    git(repository, "config", "core.worktree", tmp_path)
    assert git_state(repository) == (None, b"")


def test_patch_does_not_depend_on_the_configuration_of_colours_and_prefixes(repository):
    (repository / "code.py").write_text("a = 2\n")
    plain = git_state(repository)
    for key, value in {"color.ui": "always", "diff.noprefix": "true"}.items():
        git(repository, "config", key, value)
    assert git_state(repository) == plain
