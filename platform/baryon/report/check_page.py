"""Show the result of `baryon data check`: on the terminal, and as a page with figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from baryon import figures
from baryon.data.checks.check import Diagnosis
from baryon.errors import BaryonError, cannot_write
from baryon.report.page.page import picture, render
from baryon.report.results import show_table
from baryon.runs.directory import write_json
from baryon.system.atomic import write_text
from baryon.terminal.console import name_report, refuse, say, warn


def write(diagnosis: Diagnosis, name: str, options: Mapping[str, Any], folder: Path) -> None:
    """Write `report.html`, `figures/` and `check.json` into a folder, which is made.

    `name` and `options` are those of the dataset. Raises `BaryonError` if they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BaryonError(cannot_write(folder, error)) from error
    figures.save(diagnosis.figures, folder / "figures")
    page = render(
        "check.html.j2",
        {"charts": [], "parallel": None},
        title=f"Check of dataset {name}",
        diagnosis=diagnosis,
        options=options,
        shown_figures=[
            picture(folder / "figures" / f"{key}.png", figures.caption(key, figure))
            for key, figure in diagnosis.figures.items()
        ],
    )
    write_text(folder / "report.html", page)
    result = {
        "summary": diagnosis.summary,
        "refused": diagnosis.refused,
        "checks": [
            {"name": result.name, "state": result.state, "skipped": result.skipped}
            for result in diagnosis.checks
        ],
        "findings": [asdict(finding) for finding in diagnosis.findings],
        "checksums": diagnosis.checksums,
    }
    write_json(folder / "check.json", result)


def show(diagnosis: Diagnosis, folder: Path) -> None:
    """Show the reading speed, the findings, the verdict, and the path of the page."""
    if "reading" in diagnosis.tables:
        show_table(diagnosis.tables["reading"])
    for finding in diagnosis.findings:
        text = f"{finding.split}: {finding.text}"
        if finding.refused:
            refuse(f"refused: {text}")
        else:
            warn(text)
    made = [result for result in diagnosis.checks if not result.skipped]
    passed = sum(result.state == "passed" for result in made)
    say(f"{diagnosis.summary}; {passed} of {len(made)} checks passed")
    name_report(folder / "report.html")
