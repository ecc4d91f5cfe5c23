"""Save figures for screen and paper, and draw the curves of a run."""

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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 150
_LAYS_OUT = ContextVar("lays_out", default=True)


def save(figures: Mapping[str, Figure], folder: Path) -> None:
    """Save each figure as `<name>.png` and `<name>.svg` in a folder, which is made."""
    if figures:
        folder.mkdir(exist_ok=True)
    for name, figure in figures.items():
        if figure.get_layout_engine() is not None:
            lay_out(figure)
        for form in ("png", "svg"):
            with atomic_write(folder / f"{name}.{form}") as temporary:
                figure.savefig(temporary, format=form, dpi=DOTS_PER_INCH)


def lay_out(figure: Figure) -> None:
    """Lay a figure out once and for all; to be called inside the style that it is drawn in.

    matplotlib reads fonts and ticks when a figure is saved, which happens elsewhere.
    """
    from matplotlib import rc_context

    if not _LAYS_OUT.get():
        return
    figure.draw_without_rendering()
    # A figure with a layout engine is laid out again each time it is saved: for each format that
    # took most of a short run's time.
    with rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)


@contextmanager
def without_layout() -> Iterator[None]:
    """Make `lay_out` do nothing in the block: for figures that nobody sees, as it takes seconds."""
    token = _LAYS_OUT.set(False)
    try:
        yield
    finally:
        _LAYS_OUT.reset(token)


def curves(records: Sequence[LogLine]) -> Figure:
    """Draw the losses of training and validation, and the rate of training, against the step."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    figure.set_label("Loss of training and validation, and the rate of training, by step")
    losses, rate = figure.subplots(1, 2)
    _draw_losses(losses, records)
    train = [record for record in records if record["kind"] == "train"]
    rate.plot([r["step"] for r in train], [r["samples_per_second"] for r in train], linewidth=1.3)
    rate.set(xlabel="step", ylabel="samples per second", ylim=(0, None))
    rate.grid(alpha=0.3)
    return figure


def _draw_losses(axes: Axes, records: Sequence[LogLine]) -> None:
    for kind, style in (("train", "-"), ("validation", "o--")):
        of_kind = [record for record in records if record["kind"] == kind]
        for name in loss_terms(of_kind):
            measured = [r for r in of_kind if is_number(r.get(name))]
            steps, values = [r["step"] for r in measured], [r[name] for r in measured]
            axes.plot(steps, values, style, label=f"{name}, {kind}", markersize=4, linewidth=1.3)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def caption(name: str, figure: Figure) -> str:
    """Return what a figure shows: its label, else its name."""
    return str(figure.get_label()) or name.replace("_", " ")
