"""What is printed shows what files hold: nothing in it does anything to a terminal."""

import io

import pytest
from rich.table import Table as RichTable

from baryon import cli
from baryon.errors import BaryonError
from baryon.interfaces import Table
from baryon.report.results import show_table
from baryon.terminal import console
from baryon.terminal.console import printable

ESCAPES = "\x1b]0;title\x07\x1b[2J\x9b31m\r\x00‮\u2028"


def test_control_characters_are_shown_and_not_sent():
    shown = printable(f"a{ESCAPES}b\tc\nd é 漢 😀")
    assert shown == (r"a\x1b]0;title\x07\x1b[2J\x9b31m\r\x00\u202e\u2028b" + "\tc\nd é 漢 😀")
    assert printable("\ud800") == r"\ud800"


def test_everything_said_is_printable_and_has_no_markup(capsys):
    console.say(f"say {ESCAPES} [bold]x[/bold] [/]")
    console.warn(f"warn {ESCAPES}")
    table = Table(
        [f"head {ESCAPES}"], [[f"cell {ESCAPES} [/nothing] :smile:"]], f"caption {ESCAPES}"
    )
    show_table(table)
    console.show(RichTable(f"another {ESCAPES}"))
    said = capsys.readouterr().out
    assert not set(ESCAPES) & set(said) - set("]0;title[2J31m")
    for text in ("[bold]x[/bold] [/]", "[/nothing] :smile:", r"warn \x1b]0;title", r"head \x1b"):
        assert text in said


def test_an_error_is_one_line_whatever_a_file_put_into_it(capsys):
    def fail() -> int:
        raise BaryonError(f"a{ESCAPES}\nbaryon: all is well")

    assert cli.end_with_one_line(fail) == 1
    (line,) = capsys.readouterr().err.split("\n")[:-1]
    assert line.startswith(r"baryon: error: a\x1b]0;title\x07")
    assert line.endswith("baryon: all is well")


@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_gets_the_same_text(monkeypatch, colours):
    made = console.console()
    file = io.StringIO()
    monkeypatch.setattr(made, "_file", file)
    monkeypatch.setattr(made, "_force_terminal", colours)
    console.say(f"x{ESCAPES}")
    assert r"x\x1b]0;title\x07\x1b[2J" in file.getvalue()
