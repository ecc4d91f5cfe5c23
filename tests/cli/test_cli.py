"""What goes wrong is one line, with where it came from if that is asked for."""

import sys

import pytest

from baryon.cli import main
from baryon.errors import BaryonError
from baryon.system.process_exit import end_with_one_line


def fail() -> int:
    try:
        raise KeyError("label")
    except KeyError as error:
        raise BaryonError("the loss needs a label") from error


@pytest.mark.parametrize("asked", ["", "1"])
def test_an_error_shows_its_traceback_only_where_that_is_asked_for(asked, monkeypatch, capsys):
    monkeypatch.setenv("BARYON_TRACEBACK", asked)
    monkeypatch.setenv("NO_COLOR", "1")
    assert end_with_one_line(fail) == 1
    *before, last = capsys.readouterr().err.splitlines()
    assert last == "baryon: error: the loss needs a label"
    assert bool(before) == bool(asked)
    assert ("KeyError: 'label'" in before) == bool(asked)


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", f"sweep={'x' * 300}"),
        ("evaluate", f"run={'x' * 300}"),
        ("watch", f"run={'/'.join('x' * 3000)}"),
        ("data", "repack", f"file={'x' * 300}", "out=y.h5"),
        ("plugins", "new", "mine", f"out={'x' * 300}"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_name_that_is_too_long_is_one_line(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["baryon"])
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("baryon: error: ")
    assert said.count("\n") == 1
