"""Colour only where it is wanted, help that fits a screen, one line for what is wrong."""

import re

import pytest
from rich.console import Console

from baryon.cli import main
from baryon.commands.table import COMMANDS

ESCAPE = "\x1b["
COMMAND_LINES = [
    entry.name.split()
    for command in COMMANDS
    for entry in (command, *command.actions)
    if not entry.hidden
]


def plain(text: str) -> str:
    """Without what makes letters bold or red."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("command", COMMAND_LINES, ids=" ".join)
def test_the_help_of_every_command_fits_a_screen(monkeypatch, capsys, command, columns):
    # As on a terminal of that width, without starting one.
    monkeypatch.setattr("baryon.terminal.console.console", lambda: Console(width=columns))
    assert main([*command, "--help"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(f"usage: baryon {' '.join(command)}")
    assert [line for line in shown if len(line) > 100] == []
    assert sum(max(1, -(-len(line) // columns)) for line in shown) <= 40


def test_the_help_of_all_fits_a_small_screen(on_terminal):
    shown = plain(on_terminal("--help")).splitlines()
    assert sum(max(1, -(-len(line) // 80)) for line in shown) <= 24


def test_tables_and_errors_have_colour_on_a_terminal(on_terminal):
    assert ESCAPE in on_terminal("show", "comm")
    assert on_terminal("trian").startswith("\x1b[31mbaryon: error:\x1b[0m no command 'trian'")
    assert "\x1b[31mbaryon: error:\x1b[0m" in on_terminal("train", "--foo")


@pytest.mark.parametrize("command", [["show", "comm"], ["trian"], ["train", "--foo"]], ids=" ".join)
def test_no_colour_where_it_is_not_wanted(on_terminal, baryon, environment, command):
    assert "\x1b[3" not in on_terminal(*command, NO_COLOR="1")
    assert ESCAPE not in on_terminal(*command, TERM="dumb")
    without = {name: value for name, value in environment.items() if name != "NO_COLOR"}
    done = baryon(*command, env=without)
    assert ESCAPE not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--foo"], "unrecognized arguments: --foo; options are given as group=option"),
        (["-m", "-x"], "unrecognized arguments: -x; "),
        (["--cfg"], "argument --cfg/-c: expected one argument; "),
        (["--cfg", "nope"], "argument --cfg/-c: invalid choice: 'nope'"),
        (["--experiment=hep_demo"], "unrecognized arguments: --experiment=hep_demo; "),
    ],
    ids=str,
)
def test_a_wrong_flag_is_one_line(capsys, arguments, says):
    assert main(["train", *arguments]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"baryon: error: {says}")
    assert shown.err.count("\n") == 1
