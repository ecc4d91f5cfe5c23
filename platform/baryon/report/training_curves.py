"""Draw the curves of a training as a figure, for the run's folder and for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from baryon import figures
from baryon.report.page.charts import loss_terms
from baryon.runs.metrics_log import LogLine
from baryon.system.plain_data import is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def curves(records: Sequence[LogLine]) -> Figure:
    """Draw the losses of training and validation, and the rate of training, against the step."""
    with figures.style():
        caption = "Loss of training and validation, and the rate of training, by step"
        figure = figures.new(9, 3.4, caption)
        losses, rate = figure.subplots(1, 2)
        _draw_losses(losses, records)
        train = [record for record in records if record["kind"] == "train"]
        rate.plot([r["step"] for r in train], [r["samples_per_second"] for r in train])
        rate.set(xlabel="Step", ylabel="Samples per second", ylim=(0, None))
        figures.lay_out(figure)
    return figure


def _draw_losses(axes: Axes, records: Sequence[LogLine]) -> None:
    of_kinds = {
        kind: [record for record in records if record["kind"] == kind]
        for kind in ("train", "validation")
    }
    names = dict.fromkeys(name for lines in of_kinds.values() for name in loss_terms(lines))
    colours = dict(zip(names, len(names) * figures.CYCLE, strict=False))
    for (kind, lines), look in zip(of_kinds.items(), ("-", "o--"), strict=True):
        for name in loss_terms(lines):
            measured = [line for line in lines if is_number(line.get(name))]
            steps, values = [r["step"] for r in measured], [r[name] for r in measured]
            label = f"{name.replace('_', ' ')}, {kind}"
            axes.plot(steps, values, look, color=colours[name], label=label)
    axes.set(xlabel="Step", ylabel="Loss", yscale="log")
    axes.legend()
