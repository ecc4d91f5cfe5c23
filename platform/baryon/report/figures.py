"""Figures of a run: its curves, and saving any figure for screen and paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from baryon.report.page.charts import loss_terms
from baryon.runs.metrics_log import LogLine
from baryon.system.atomic import atomic_write
from baryon.system.plain_data import is_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 150
_LAYS_OUT = ContextVar("lays_out", default=True)


def save(figures: Mapping[str, Figure], folder: Path) -> None:
    """Each as `<name>.png` and `<name>.svg`."""
    if figures:
        folder.mkdir(exist_ok=True)
    for name, figure in figures.items():
        if figure.get_layout_engine() is not None:
            lay_out(figure)
        for form in ("png", "svg"):
            with atomic_write(folder / f"{name}.{form}") as temporary:
                figure.savefig(temporary, format=form, dpi=DOTS_PER_INCH)


def lay_out(figure: Figure) -> None:
    """Once and for all: a figure with a layout engine is drawn twice each time it is saved."""
    from matplotlib import rc_context

    if not _LAYS_OUT.get():
        return
    figure.draw_without_rendering()
    with rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)


@contextmanager
def without_layout() -> Iterator[None]:
    """Within it `lay_out` does nothing: for figures that nobody will see, for it takes seconds."""
    before = _LAYS_OUT.set(False)
    try:
        yield
    finally:
        _LAYS_OUT.reset(before)


def curves(records: Sequence[LogLine]) -> Figure:
    """Loss terms of training and validation, and the rate of training, against the step."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    figure.set_label("Loss of training and validation, and the rate of training, by step")
    losses, rate = figure.subplots(1, 2)
    for kind, style in (("train", "-"), ("validation", "o--")):
        chosen = [record for record in records if record["kind"] == kind]
        for name in loss_terms(chosen):
            measured = [r for r in chosen if is_number(r.get(name))]
            steps, values = [r["step"] for r in measured], [r[name] for r in measured]
            losses.plot(steps, values, style, label=f"{name}, {kind}", markersize=4, linewidth=1.3)
    losses.set(xlabel="step", ylabel="loss", yscale="log")
    losses.grid(alpha=0.3)
    losses.legend(fontsize="small")
    train = [record for record in records if record["kind"] == "train"]
    rate.plot([r["step"] for r in train], [r["samples_per_second"] for r in train], linewidth=1.3)
    rate.set(xlabel="step", ylabel="samples per second", ylim=(0, None))
    rate.grid(alpha=0.3)
    return figure


def caption(name: str, figure: Figure) -> str:
    """What a figure shows: its label, else its name."""
    return str(figure.get_label()) or name.replace("_", " ")
