"""Write predictions into a folder: a page, figures, numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from baryon import figures
from baryon.errors import BaryonError, cannot_write
from baryon.interfaces import Table
from baryon.report.page.page import picture, render
from baryon.runs.directory import write_json
from baryon.scaling import drawing, tables
from baryon.scaling.machine import FIGURES
from baryon.scaling.published import Point
from baryon.scaling.real_runs import RealRun, kind_of_scaling
from baryon.scaling.study import Study
from baryon.system.atomic import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_study(study: Study, folder: Path) -> None:
    """Write `report.html`, `figures/` and `predictions.json`. Raises `BaryonError` if it cannot."""
    shown = {"speed": tables.of_speed(study), "losses": tables.of_losses(study)}
    sources = Table(
        ("figure", "value", "meaning", "source"),
        [
            (name, f"{figure.value:g}", FIGURES[name], figure.source)
            for name, figure in study.machine.figures.items()
        ],
        caption=f"the figures of machine {study.machine.name}, with their sources",
    )
    title = f"Scaling of {study.network.name} on {study.machine.name}"
    _write(
        folder,
        title,
        tables.summary(study),
        tables.notes(study),
        {**shown, "machine": sources},
        drawing.draw_study(study),
    )
    write_json(folder / "predictions.json", {"predictions": [asdict(p) for p in study.predictions]})


def write_points(name: str, points: Sequence[Point], folder: Path) -> None:
    """Write the page, the figure and the numbers of a comparison with published results."""
    _write(
        folder,
        f"Predictions for {name} against published results",
        tables.summary_of_points(points),
        [],
        {"points": tables.of_points(points)},
        {"published": drawing.draw_points(points)},
    )
    write_json(folder / "published.json", {"points": [asdict(point) for point in points]})


def page_of_runs(runs: Sequence[RealRun], notes: Sequence[str]) -> str:
    """Return the page of real runs."""
    with TemporaryDirectory() as folder:
        return _page(
            Path(folder),
            f"Scaling of {runs[0].network}: {len(runs)} runs",
            kind_of_scaling(runs),
            notes,
            {"runs": tables.of_runs(runs)},
            drawing.draw_runs(runs),
        )


def _write(
    folder: Path,
    title: str,
    summary: str,
    notes: Sequence[str],
    shown_tables: Mapping[str, Any],
    drawn: Mapping[str, Figure],
) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BaryonError(cannot_write(folder, error, "out")) from error
    page = _page(folder, title, summary, notes, shown_tables, drawn)
    write_text(folder / "report.html", page, "out")


def _page(
    folder: Path,
    title: str,
    summary: str,
    notes: Sequence[str],
    shown_tables: Mapping[str, Any],
    drawn: Mapping[str, Figure],
) -> str:
    """Save the figures into a folder, and return the page that shows them."""
    figures.save(drawn, folder / "figures")
    return render(
        "scaling.html.j2",
        {"charts": [], "parallel": None},
        title=title,
        summary=summary,
        notes=notes,
        tables=shown_tables,
        shown_figures=[
            picture(folder / "figures" / f"{name}.png", figures.caption(name, figure))
            for name, figure in drawn.items()
        ],
    )
