"""How a process was started, as provenance writes it down."""

import sys

import pytest

from baryon.runs import command_line as module
from baryon.runs.command_line import command_line


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        (["/x/bin/baryon", "train", "seed=2"], ["baryon", "train", "seed=2"]),
        (["-P", "-m", "baryon", "resume"], ["baryon", "resume"]),
        (["-u", "/lib/baryon/__main__.py", "train"], ["baryon", "train"]),
        (["study.py", "--fast"], ["python", "study.py", "--fast"]),
        (["-m", "baryon.sweeps.run_job", "s/1"], ["python", "-m", "baryon.sweeps.run_job", "s/1"]),
    ],
)
def test_command_line_is_the_one_that_was_typed(monkeypatch, typed, command):
    monkeypatch.setattr(sys, "orig_argv", ["/usr/bin/python3", *typed])
    assert command_line() == command


def test_command_line_of_a_notebook_is_not_the_kernels(monkeypatch):
    kernel = ["python", "-m", "ipykernel_launcher", "-f", "/run/user/1/jupyter/kernel-7.json"]
    monkeypatch.setattr(sys, "orig_argv", kernel)
    monkeypatch.setattr(module, "in_notebook", lambda: True)
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/analysis/efficiency.ipynb")
    assert command_line() == ["jupyter", "notebook", "efficiency.ipynb"]
    monkeypatch.delenv("JPY_SESSION_NAME")
    assert command_line() == ["jupyter", "notebook"]
