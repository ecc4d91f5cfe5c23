"""What the end of a run says: all of it in a log, the answer before all on a terminal."""

import pytest

from baryon.interfaces import Evaluation
from baryon.report.results import show_results
from baryon.runs.directory import RunDirectory

WARNINGS = ["few events", "one seed", "short training"]


@pytest.mark.parametrize(
    ("terminal", "warnings", "cautions"),
    [
        (True, WARNINGS, ["warning: few events (and 2 more in the report)"]),
        (True, WARNINGS[:1], ["warning: few events"]),
        (False, WARNINGS, [f"warning: {text}" for text in WARNINGS]),
    ],
)
def test_several_warnings_are_one_line_on_a_terminal(
    monkeypatch, capsys, tmp_path, terminal, warnings, cautions
):
    monkeypatch.setattr("baryon.report.results.has_terminal", lambda: terminal)
    evaluation = Evaluation(metrics={}, tables={}, figures={}, summary="0.9", warnings=warnings)
    show_results(RunDirectory(tmp_path), evaluation)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [*cautions, "0.9", f"report: {tmp_path / 'report.html'}"]
