"""Draw a dataset: its values, its mean image, how they change along the file, reading speed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from baryon.data.checks.speed import Speed
from baryon.data.checks.values import INPUTS, FieldSurvey, Survey
from baryon.figures import lay_out, new, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PANELS = 9
BINS = 40


def draw(surveys: Mapping[str, Survey], speeds: Mapping[str, Speed]) -> dict[str, Figure]:
    """Return all figures that these data allow, by name."""
    with style():
        drawn = _draw_all(surveys, speeds)
        for figure in drawn.values():
            lay_out(figure)
    return drawn


def _draw_all(surveys: Mapping[str, Survey], speeds: Mapping[str, Speed]) -> dict[str, Figure]:
    first = next(iter(surveys.values()))
    figures = {"speed": _speed(speeds), "values": _values(surveys), "along": _along(first)}
    image = first.fields[INPUTS].image
    if image is not None:
        figures["mean_image"] = _mean_image(image / max(1, len(first.rows)))
    return figures


def _new(panels: int, caption: str, columns: int = 3) -> tuple[Figure, list[object]]:
    across = min(columns, panels)
    down = -(-panels // across)
    figure = new(3.1 * across, 2.5 * down, caption)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for panel in axes[:panels]:
        panel.locator_params(axis="x", nbins=4)
    for empty in axes[panels:]:
        empty.set_axis_off()
    return figure, list(axes)


def _columns(survey: Survey) -> list[FieldSurvey]:
    """Return the fields with one number a sample, and the inputs; identifiers say nothing here."""
    fields = survey.fields.values()
    return [field for field in fields if len(field.column) and not field.is_identifier][:MAX_PANELS]


def _title(field: FieldSurvey) -> str:
    return "mean of inputs" if field.name == INPUTS and field.field.shape else field.name


def _values(surveys: Mapping[str, Survey]) -> Figure:
    fields = _columns(next(iter(surveys.values())))
    figure, panels = _new(len(fields), "Values of the samples, by split; each split's area is one")
    for number, (field, axes) in enumerate(zip(fields, panels, strict=False)):
        columns = {split: survey.fields[field.name].column for split, survey in surveys.items()}
        finite = {split: c[np.isfinite(c)].astype(float) for split, c in columns.items()}
        pooled = np.concatenate(list(finite.values()))  # so that all splits have the same bins
        edges = np.histogram_bin_edges(pooled, BINS) if len(pooled) else np.linspace(0, 1, 2)
        for split, column in finite.items():
            if len(column):
                axes.hist(column, edges, density=True, histtype="step", label=split)  # type: ignore[attr-defined]
        axes.set_title(_title(field))  # type: ignore[attr-defined]
        if number == 0:  # the splits have the same colours in all panels
            axes.legend()  # type: ignore[attr-defined]
    return figure


def _along(survey: Survey) -> Figure:
    fields = _columns(survey)
    figure, panels = _new(
        len(fields), "Mean of each chunk along the files: a trend means that chunks are not alike"
    )
    starts = np.concatenate([[0], np.cumsum(survey.sizes)[:-1]])
    rows = np.asarray(survey.rows)[starts]
    for field, axes in zip(fields, panels, strict=False):
        values = np.nan_to_num(field.column.astype(float))
        means = np.add.reduceat(values, starts) / survey.sizes
        axes.plot(rows, means, ".", markersize=3)  # type: ignore[attr-defined]
        axes.set_title(_title(field), fontsize="medium")  # type: ignore[attr-defined]
        axes.set_xlabel("Row")  # type: ignore[attr-defined]
    return figure


def _mean_image(image: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Figure:
    figure, panels = _new(len(image), "Mean of all training samples, by channel")
    for channel, axes in enumerate(panels[: len(image)]):
        mappable = axes.imshow(image[channel], origin="lower")  # type: ignore[attr-defined]
        axes.set_title(f"channel {channel}", fontsize="medium")  # type: ignore[attr-defined]
        figure.colorbar(mappable, ax=axes, shrink=0.8)  # type: ignore[arg-type]
    return figure


def _speed(speeds: Mapping[str, Speed]) -> Figure:
    caption = "Samples read a second, shuffled in windows and one by one in random order"
    figure = new(6.2, 1.2 + 0.7 * len(speeds), caption)
    axes = figure.subplots()
    positions = np.arange(len(speeds))
    rates_by_order = {
        "shuffled in windows": [speed.shuffled for speed in speeds.values()],
        "one by one": [speed.one_by_one for speed in speeds.values()],
    }
    for shift, (order, rates) in zip((0.2, -0.2), rates_by_order.items(), strict=True):
        axes.barh(positions + shift, rates, height=0.38, label=order)
    axes.set(yticks=positions, yticklabels=list(speeds), xlabel="Samples a second")
    axes.tick_params(axis="y", which="both", length=0)
    figure.legend(loc="outside upper left", ncols=2)  # bars may fill all of the axes
    return figure
