"""Messages are records of the logger "baryon", which an embedding program can take over."""

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table as RichTable

from baryon.terminal import console
from baryon.terminal.console import LOGGER
from baryon.terminal.handler import ConsoleHandler, has_terminal, show_messages


class Records(logging.Handler):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record)


@pytest.fixture
def embedded(monkeypatch) -> Records:
    """A program that has installed a handler of its own instead of the command line's."""
    records = Records()
    monkeypatch.setattr(LOGGER, "handlers", [records])
    monkeypatch.setattr(LOGGER, "level", logging.INFO)
    LOGGER.manager._clear_cache()
    yield records
    LOGGER.manager._clear_cache()


def test_an_embedding_program_gets_all_messages_and_the_terminal_none(
    embedded, monkeypatch, capsys
):
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "3")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    console.say("step 1")
    console.warn("slow\x1b[2J at http://user:secret@host/path")
    console.refuse("refused: x")
    console.warn_from_rank("rank 3 waits")
    table = RichTable("name")
    table.add_row("value\x9b")
    console.show(table)
    assert capsys.readouterr() == ("", "")
    *texts, shown = [record.getMessage() for record in embedded.seen]
    assert texts == ["step 1", r"slow\x1b[2J at http://host/path", "refused: x", "rank 3 waits"]
    assert "name" in shown
    assert r"value\x9b" in shown
    levels = ["INFO", "WARNING", "ERROR", "WARNING", "INFO"]
    assert [record.levelname for record in embedded.seen] == levels
    assert {(r.name, r.rank, r.filename) for r in embedded.seen} == {
        ("baryon", 3, Path(__file__).name)
    }
    assert not has_terminal()


def test_a_level_silences_messages(embedded):
    LOGGER.setLevel(logging.ERROR)
    console.say("step 1")
    console.warn("slow")
    assert not embedded.seen


def test_of_many_ranks_one_speaks_and_each_for_itself(embedded, monkeypatch):
    monkeypatch.setattr(console._Speaker, "silent", False)
    console.speak(aloud=False)
    console.say("of all")
    console.warn("of all")
    console.warn_from_rank("of one")
    console.speak(aloud=True)
    console.say("again")
    assert [record.getMessage() for record in embedded.seen] == ["of one", "again"]


def test_the_command_line_shows_each_message_once(monkeypatch, capsys):
    monkeypatch.setattr(LOGGER, "handlers", [])
    root = logging.StreamHandler(io.StringIO())
    monkeypatch.setattr(logging.getLogger(), "handlers", [root])
    show_messages()
    show_messages()
    console.say("said")
    console.warn("warned")
    console.warn_from_rank("of one rank")
    assert capsys.readouterr() == ("said\nwarning: warned\n", "warning: of one rank\n")
    assert root.stream.getvalue() == ""
    assert [type(handler) for handler in LOGGER.handlers] == [ConsoleHandler]


def test_importing_installs_no_handler_and_warnings_are_not_lost():
    code = """
import logging, sys
import baryon.plugins.registry
import baryon.terminal.console as console
assert logging.getLogger("baryon").handlers == logging.getLogger().handlers == []
assert "rich" not in sys.modules
console.say("said")
console.warn("warned")
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
console.say("heard")
assert "rich" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "warned\nINFO baryon heard\n")


@pytest.mark.parametrize("terminal", [True, False])
def test_an_answer_is_bold_and_unbroken_words_on_a_terminal_and_one_line_elsewhere(
    monkeypatch, terminal
):
    from rich.console import Console

    stream = io.StringIO()
    shown = Console(file=stream, force_terminal=terminal, width=20, markup=False)
    monkeypatch.setattr("baryon.terminal.handler.console", lambda: shown)
    record = LOGGER.makeRecord("baryon", logging.INFO, "x.py", 1, "", (), None)
    record.msg, record.is_answer = "area 0.9983 of one, ratio 1.74", True
    ConsoleHandler().emit(record)
    text = stream.getvalue()
    if terminal:
        assert "\x1b[1m" in text
        assert all("ratio" in line or "rati" not in line for line in text.splitlines())
        assert len(text.splitlines()) == 2
    else:
        assert text == "area 0.9983 of one, ratio 1.74\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_the_path_of_a_report_is_a_link_on_a_terminal_alone(monkeypatch, tmp_path, terminal):
    from rich.console import Console

    stream = io.StringIO()
    options = {"_environ": {"TERM": "xterm-256color"}, "width": 20, "markup": False}
    shown = Console(file=stream, force_terminal=terminal, **options)
    monkeypatch.setattr("baryon.terminal.handler.console", lambda: shown)
    path = tmp_path / "my runs" / "report.html"
    console.name_report(path)
    text = stream.getvalue()
    if terminal:
        start, address, rest = text.partition(path.as_uri())
        assert "my%20runs" in address
        assert start.startswith("report: \x1b]8;")
        assert rest == f"\x1b\\{path}\x1b]8;;\x1b\\\n"
    else:
        assert text == f"report: {path}\n"
