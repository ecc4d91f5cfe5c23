"""The run report: one HTML page that opens by itself, offline."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from baryon.config import Config
from baryon.files import write_text
from baryon.interfaces import Evaluation
from baryon.reporting import figures
from baryon.reporting.metrics_log import Record
from baryon.reporting.run_directory import RunDirectory

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write(
    run: RunDirectory,
    config: Config,
    versions: Mapping[str, Any],
    evaluation: Evaluation,
    split: str,
    records: list[Record],
) -> None:
    """Write the page; pictures and styles lie inside it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("baryon.reporting", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["cell"] = cell
    shown = dict(evaluation.figures)
    if records:
        shown["training"] = figures.curves(records)
    page = environment.get_template("report.html.j2").render(
        name=run.path.name,
        choices=config.choices,
        digest=config.digest,
        evaluation=evaluation,
        split=split,
        pictures={name: _embedded(figure) for name, figure in shown.items()},
        training=_last(records, "train"),
        config=_flat(config.values),
        versions=_flat(versions),
    )
    write_text(run.report, page)


def cell(value: object) -> str:
    """A number with four significant digits, anything else as text."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _embedded(figure: Figure) -> str:
    return "data:image/png;base64," + base64.b64encode(figures.as_png(figure)).decode()


def _last(records: list[Record], kind: str) -> Record | None:
    chosen = [record for record in records if record["kind"] == kind]
    return chosen[-1] if chosen else None


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
