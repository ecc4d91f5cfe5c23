"""Hold the predictions for a machine against what was published of it."""

from __future__ import annotations

from pathlib import Path

from baryon.commands.arguments import Arguments
from baryon.runs.directory import unique_name
from baryon.terminal.console import name_report, say

STEPS = 4000
"""So many that chance is below 1 %: 20 draws of the machine's slowest node."""


def run(arguments: Arguments) -> int:
    """Predict each published point, write the page and show the errors."""
    from baryon.report.results import show_table
    from baryon.scaling import page, tables
    from baryon.scaling.published import compare

    name = arguments["machine"]
    points = compare(name, arguments["steps"] or STEPS)
    folder = Path(arguments["out"] or f"scaling/{unique_name()}-{Path(name).stem}-published")
    page.write_points(name, points, folder)
    show_table(tables.of_points(points))
    say(tables.summary_of_points(points))
    name_report(folder / "report.html")
    return 0
