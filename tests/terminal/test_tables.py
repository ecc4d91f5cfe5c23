import re

import pytest
from rich.console import Console

from baryon.interfaces import Table
from baryon.report import results
from baryon.terminal import handler
from baryon.terminal.tables import fitted_text

WORKING_POINT = Table(
    ["selection", "signal efficiency", "±", "false-positive rate", "±", "background events kept"],
    [
        ["cuts", 0.4648123, 0.014107, 2.4936e-05, 1.2961e-05, 6],
        ["network, as the cuts", "0.9816 +0.0040 -0.0120", 0.1299, 123456.0, 1.296e-05, 12345],
    ],
    "The network at the false-positive rate of the cuts; [events] weighted",
)
NUMBERS = ("0.4648", "0.01411", "2.494e-5", "1.296e-5", "123,456", "12,345")
WITH_ERROR = "0.9816 +0.0040 -0.0120"


def printed(renderable, width):
    terminal = Console(width=width, force_terminal=False)
    with terminal.capture() as capture:
        terminal.print(renderable)
    return capture.get()


@pytest.fixture
def terminal(monkeypatch):
    """Shows a table as a terminal of so many columns does."""

    def shown(table, width):
        console = Console(width=width, force_terminal=False)
        for module in (results, handler):
            monkeypatch.setattr(module, "console", lambda: console)
        with console.capture() as capture:
            results.show_table(table)
        return capture.get()

    return shown


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_numbers_are_never_cut(terminal, width):
    text = terminal(WORKING_POINT, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for number in NUMBERS:
        assert number in text
    assert WITH_ERROR in (text if width > 40 else " ".join(text.split()))
    assert "[events]" in text


def test_a_narrow_terminal_shows_every_value_by_its_name(terminal):
    text = terminal(WORKING_POINT, 40)
    assert "selection: cuts" in text
    assert "  background events kept: 6" in text


def test_numbers_stand_to_the_right(terminal):
    text = terminal(Table(["layer", "GFLOP"], [["a", 1.5], ["b", 1234.5]]), 80)
    assert re.search(r"│ +1\.5 │", text)


@pytest.mark.parametrize("width", [60, 80])
def test_texts_are_folded_between_words(width):
    rows = [
        ("train.learning_rate", "0.00010259382695088696", "how far a step goes " * 5),
        ("train.minimum_effective_background", "-1.5e-300", ""),
    ]
    text = printed(fitted_text(("key", "default", "what it is"), rows, width, boxed=False), width)
    assert "…" not in text
    for whole in ("train.minimum_effective_background", "0.00010259382695088696", "-1.5e-300"):
        assert whole in text
    assert max(map(len, text.splitlines())) <= width


def test_lines_of_a_cell_stay():
    rows = [("hep", "model: a, b\nloss: c")]
    lines = printed(fitted_text(("plugin", "offers"), rows, 80, boxed=True), 80).splitlines()
    assert any("model: a, b" in line and "loss" not in line for line in lines)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5678, "1235"),
        (12345.6, "12,346"),
        (1.2961e-5, "1.296e-5"),
        (2.5e12, "2.5e12"),
        (float("nan"), "-"),
        (None, "-"),
        (1163, "1,163"),
        (True, "True"),
    ],
)
def test_cells(value, text):
    from baryon.terminal.cells import cell

    assert cell(value) == text
