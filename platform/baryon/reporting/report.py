"""The run report: one HTML page that opens by itself, offline."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.config import Config
from baryon.files import write_text
from baryon.interfaces import Evaluation
from baryon.reporting import speed
from baryon.reporting.metrics_log import Record
from baryon.reporting.run_directory import RunDirectory

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure


def write(
    run: RunDirectory,
    config: Config,
    versions: Mapping[str, Any],
    evaluation: Evaluation,
    split: str,
    figures: Mapping[str, Figure],
    records: list[Record],
) -> None:
    """Write the page; pictures (from the run's `figures/`) and styles lie inside it."""
    meters, execution = _last(records, "meters"), _last(records, "execution")
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            name=run.path.name,
            choices=config.choices,
            digest=config.digest,
            evaluation=evaluation,
            split=split,
            pictures=[picture(name, figure, run.figures) for name, figure in figures.items()],
            training=_last(records, "train"),
            execution=execution,
            speed=speed.tables(meters) if meters else [],
            config=_flat(config.values),
            versions=_flat(versions),
        )
    )
    write_text(run.report, page)


def environment() -> Environment:
    """The templates of this folder, with the filter `cell`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("baryon.reporting", "."), autoescape=True, undefined=StrictUndefined
    )
    templates.filters["cell"] = cell
    return templates


def cell(value: object) -> str:
    """A number with four significant digits, anything else as text."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def picture(name: str, figure: Figure, folder: Path) -> dict[str, str]:
    """Source and caption of a saved figure; its label says what it shows."""
    data = base64.b64encode((folder / f"{name}.png").read_bytes()).decode()
    caption = str(figure.get_label()) or name.replace("_", " ")
    return {"source": f"data:image/png;base64,{data}", "caption": caption}


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
