"""Pictures of a dataset: its values, its mean image, and how they change along the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from baryon.data.checks.speed import Speed
from baryon.data.checks.values import INPUTS, FieldSurvey, Survey

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS = 9
BINS = 40


def draw(surveys: Mapping[str, Survey], speeds: Mapping[str, Speed]) -> dict[str, Figure]:
    """All figures that these data allow, by name."""
    first = next(iter(surveys.values()))
    found = {"speed": _speed(speeds), "values": _values(surveys), "along": _along(first)}
    image = first.fields[INPUTS].image
    if image is not None:
        found["mean_image"] = _mean_image(image / max(1, len(first.rows)))
    return found


def _new(panels: int, caption: str, columns: int = 3) -> tuple[Figure, list[object]]:
    from matplotlib.figure import Figure

    across = min(columns, panels)
    down = -(-panels // across)
    figure = Figure(figsize=(3.1 * across, 2.5 * down), layout="constrained")
    figure.set_label(caption)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for one in axes[:panels]:
        one.locator_params(axis="x", nbins=4)
    for empty in axes[panels:]:
        empty.set_axis_off()
    return figure, list(axes)


def _columns(survey: Survey) -> list[FieldSurvey]:
    """The fields with one number a sample, and the inputs."""
    chosen = [one for one in survey.fields.values() if len(one.column)]
    return chosen[:MOST_PANELS]


def _title(one: FieldSurvey) -> str:
    return "mean of inputs" if one.name == INPUTS and one.field.shape else one.name


def _values(surveys: Mapping[str, Survey]) -> Figure:
    fields = _columns(next(iter(surveys.values())))
    figure, panels = _new(len(fields), "Values of the samples, by split; each split's area is one")
    for number, (one, axes) in enumerate(zip(fields, panels, strict=False)):
        columns = {split: survey.fields[one.name].column for split, survey in surveys.items()}
        finite = {split: c[np.isfinite(c)].astype(float) for split, c in columns.items()}
        together = np.concatenate(list(finite.values()))
        edges = np.histogram_bin_edges(together, BINS) if len(together) else np.linspace(0, 1, 2)
        for split, column in finite.items():
            if len(column):
                axes.hist(column, edges, density=True, histtype="step", label=split)  # type: ignore[attr-defined]
        axes.set_title(_title(one), fontsize="medium")  # type: ignore[attr-defined]
        if number == 0:
            axes.legend(fontsize="small")  # type: ignore[attr-defined]
    return figure


def _along(survey: Survey) -> Figure:
    fields = _columns(survey)
    figure, panels = _new(
        len(fields), "Mean of each chunk along the files: a trend means that chunks are not alike"
    )
    starts = np.concatenate([[0], np.cumsum(survey.sizes)[:-1]])
    rows = np.asarray(survey.rows)[starts]
    for one, axes in zip(fields, panels, strict=False):
        values = np.nan_to_num(one.column.astype(float))
        means = np.add.reduceat(values, starts) / survey.sizes
        axes.plot(rows, means, ".", markersize=3)  # type: ignore[attr-defined]
        axes.set_title(_title(one), fontsize="medium")  # type: ignore[attr-defined]
        axes.set_xlabel("row")  # type: ignore[attr-defined]
    return figure


def _mean_image(image: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Figure:
    figure, panels = _new(len(image), "Mean of all training samples, by channel")
    for channel, axes in enumerate(panels[: len(image)]):
        shown = axes.imshow(image[channel], origin="lower")  # type: ignore[attr-defined]
        axes.set_title(f"channel {channel}", fontsize="medium")  # type: ignore[attr-defined]
        figure.colorbar(shown, ax=axes, shrink=0.8)  # type: ignore[arg-type]
    return figure


def _speed(speeds: Mapping[str, Speed]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.2, 0.8 + 0.7 * len(speeds)), layout="constrained")
    figure.set_label("Samples read a second, shuffled in windows and one by one in random order")
    axes = figure.subplots()
    places = np.arange(len(speeds))
    ways = {
        "shuffled in windows": [one.shuffled for one in speeds.values()],
        "one by one": [one.one_by_one for one in speeds.values()],
    }
    for shift, (way, rates) in zip((0.2, -0.2), ways.items(), strict=True):
        axes.barh(places + shift, rates, height=0.38, label=way)
    axes.set(yticks=places, yticklabels=list(speeds), xlabel="samples a second")
    axes.legend(fontsize="small")
    return figure
