"""The git state of a folder is read, and never changed."""

import hashlib
import os
import subprocess

import pytest

from baryon.runs import git_state as module
from baryon.runs.git_state import git_state


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        subprocess.run(
            ["git", "-C", tmp_path, "-c", "user.name=x", "-c", "user.email=x@y", *arguments],
            check=True,
            capture_output=True,
        )

    git("init", "--initial-branch=trunk")
    (tmp_path / "code.py").write_text("a = 1\n")
    git("add", "code.py")
    git("commit", "-m", "first")
    return tmp_path


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
