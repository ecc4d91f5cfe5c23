"""Turn the log of a run into charts, which `chart.js` draws.

A chart is `{id, title, unit, log, stacked, series}`; a series is `{name, step, seconds, y}` with
equally long lists, and how it looks: `dots`, `colour` (a number of the palette).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from baryon.runs.metrics_log import STEPS, LogLine
from baryon.runs.record import RunRecord

Chart = dict[str, Any]
Series = dict[str, Any]

MAX_POINTS = 800  # of a series: more than a screen is wide would not be seen, but weigh
# The points lie inside the page: runs share them, so that a sweep of hundreds of jobs stays a page
# that opens.
MAX_POINTS_OF_CHART = 40_000
MIN_POINTS = 20  # of a series, however many runs there are

WHERE = {"kind", "step", "epoch", "seconds", STEPS}
RATES = {"samples_per_second": "samples/s", "tflops_per_second": "TFLOP/s", "mfu": ""}
GROUPS = {"ms", "comm"}
"""Entries of a record that hold several values by name."""
SELDOM = ("start", "checkpoint", "evaluation")
"""Phases that are not part of every step: their peaks would hide the others."""
PHASE_COLOURS = {
    "forward": 0, "backward": 5, "optimizer": 2, "input": 1, "communication": 3,
    "checkpoint": 6, "evaluation": 4, "rest": 7, "start": 8, "lost": 9,
}  # fmt: skip
COMMUNICATION = {
    "exposed_ms": ("Exposed communication", "ms a step"),
    "updates_per_step": ("Updates of the weights in a step", "updates"),
}
"""Titles and units of what communicators measure."""


def loss_terms(records: Sequence[LogLine]) -> list[str]:
    """Return the names of the loss terms; with more than one also "loss", their sum."""
    ignored = WHERE | RATES.keys() | GROUPS
    names = [name for name in (records[0] if records else {}) if name not in ignored]
    # With a single term "loss", the first name, would be the same curve again.
    return names if len(names) > 2 else names[1:]


def of_run(run: RunRecord) -> list[Chart]:
    """Return all charts of one run; those of which nothing was logged are left out."""
    train, validation = run.lines("train"), run.lines("validation")
    drawn = [
        _losses(train, validation),
        _chart("rate", "Samples a second", "samples/s", [_rate(train, "samples_per_second")]),
        _phases(train),
        _staleness(train),
        *_others(train),
    ]
    return [chart for chart in drawn if chart["series"]]


def of_runs(runs: Mapping[str, RunRecord]) -> list[Chart]:
    """Return charts in which several runs, by their names, share one chart for each quantity."""
    limit = max(MIN_POINTS, min(MAX_POINTS, MAX_POINTS_OF_CHART // max(1, len(runs))))
    quantities = (
        ("validation", "Validation loss", "loss", "validation", "loss"),
        ("training", "Training loss", "loss", "train", "loss"),
        ("rate", "Samples a second", "samples/s", "train", "samples_per_second"),
    )
    drawn = []
    for name, title, unit, kind, key in quantities:
        of_all = [
            {**_series(label, run.lines(kind), key, limit), "colour": number, "dots": False}
            for number, (label, run) in enumerate(runs.items())
        ]
        if any(len(series["y"]) > 1 for series in of_all):  # single values stand in the table
            drawn.append(_chart(name, title, unit, of_all, log=unit == "loss"))
    return [chart for chart in drawn if chart["series"]]


def _losses(train: Sequence[LogLine], validation: Sequence[LogLine]) -> Chart:
    """Draw every term in training and validation, both in the same colour."""
    names = list(dict.fromkeys([*loss_terms(train), *loss_terms(validation)]))
    several = len(names) > 1
    of_terms = []
    for number, name in enumerate(names):
        for kind, records in (("training", train), ("validation", validation)):
            label = f"{name.replace('_', ' ')}, {kind}" if several else kind
            series = _series(label, records, name)
            colour = number if several else number + (kind == "validation")
            of_terms.append(series | {"colour": colour, "dots": kind == "validation"})
    title = "Loss" if several else f"Loss: {''.join(names).replace('_', ' ')}"
    return _chart("loss", title, "loss", of_terms, log=True)


def _rate(train: Sequence[LogLine], key: str) -> Series:
    return _series("all workers", train, key) | {"colour": 0}


def _phases(train: Sequence[LogLine]) -> Chart:
    """Draw the milliseconds a step of each phase, one on top of the other."""
    records = [record for record in train if isinstance(record.get("ms"), Mapping)]
    names = dict.fromkeys(name for r in records for name in r["ms"] if name not in SELDOM)
    buckets = _buckets(records, MAX_POINTS // 4)
    steps = [bucket[-1]["step"] for bucket in buckets]
    seconds = [bucket[-1]["seconds"] for bucket in buckets]
    of_phases = []
    for number, name in enumerate(names):
        # Means, where other series keep their extremes: values on top of one another must be of one
        # stretch.
        means = [_mean(record["ms"].get(name, 0.0) for record in bucket) for bucket in buckets]
        if any(means):
            of_phases.append(
                {
                    "name": name,
                    "step": steps,
                    "seconds": seconds,
                    "y": _short(means),
                    "colour": phase_colour(name, number),
                }
            )
    return _chart("phases", "Time of a step", "ms", of_phases) | {"stacked": True}


def phase_colour(name: str, number: int) -> int:
    """Return the colour of a phase, the same in every chart of every run.

    A phase that has none of its own takes the colour `number`.
    """
    return PHASE_COLOURS.get(name, number)


def _staleness(train: Sequence[LogLine]) -> Chart:
    """Draw the mean staleness of all layers, and thinner that of each layer."""
    records = _inner(train, "comm")
    names = sorted({name for r in records for name in r if name.startswith("staleness")})
    of_layers = []
    for number, name in enumerate(names):
        label = name.removeprefix("staleness_").replace("staleness", "mean of all layers")
        series = _series(label, records, name)
        of_layers.append(series | {"colour": number, "thin": number > 0})
    return _chart("staleness", "Staleness of gradients", "updates by others", of_layers)


def _others(train: Sequence[LogLine]) -> list[Chart]:
    """Draw what else a communicator measured, a chart each."""
    records = _inner(train, "comm")
    names = dict.fromkeys(name for record in records for name in record if name not in WHERE)
    drawn = []
    for name in names:
        if not name.startswith("staleness"):
            title, unit = COMMUNICATION.get(name, (name.replace("_", " "), ""))
            drawn.append(_chart(f"comm-{name}", title, unit, [_series(title, records, name)]))
    return drawn


def _inner(records: Sequence[LogLine], key: str) -> list[LogLine]:
    """Return the values under a key, each with the step and time it was measured at."""
    return [
        {**record[key], "step": record["step"], "seconds": record["seconds"]}
        for record in records
        if isinstance(record.get(key), Mapping)
    ]


def _chart(
    name: str, title: str, unit: str, series: Iterable[Series], *, log: bool = False
) -> Chart:
    drawn = [{"colour": 0, "dots": False, **line} for line in series if line["y"]]
    return {
        "id": name, "title": title, "unit": unit, "log": log, "stacked": False, "series": drawn,
    }  # fmt: skip


def _series(name: str, records: Sequence[LogLine], key: str, limit: int = MAX_POINTS) -> Series:
    """Return a series of at most `limit` points: every stretch keeps its lowest and highest."""
    measured = [record for record in records if _is_number(record.get(key))]
    thinned: list[LogLine] = []
    for bucket in _buckets(measured, limit // 2):
        ends = {min(bucket, key=_by(key))["step"], max(bucket, key=_by(key))["step"]}
        thinned += [record for record in bucket if len(bucket) <= 2 or record["step"] in ends]
    return {
        "name": name,
        "step": [record["step"] for record in thinned],
        "seconds": [record.get("seconds") for record in thinned],
        "y": _short([record[key] for record in thinned]),
    }


def _by(key: str) -> Any:
    # NaN is neither lower nor higher than anything: as infinity it is kept when a series is
    # thinned.
    return lambda record: record[key] if math.isfinite(record[key]) else math.inf


def _is_number(value: Any) -> bool:
    # True and False are integers in Python, but nothing that was measured.
    return isinstance(value, int | float) and not isinstance(value, bool)


def _buckets(records: Sequence[LogLine], limit: int) -> list[Sequence[LogLine]]:
    size = max(1, -(-len(records) // max(1, limit)))
    return [records[start : start + size] for start in range(0, len(records), size)]


def _mean(values: Iterable[float]) -> float:
    numbers = [value for value in values if _is_number(value)]
    return sum(numbers) / len(numbers) if numbers else 0.0


def _short(values: Sequence[float]) -> list[float | None]:
    """Round to five digits, more than a screen shows; NaN and infinity become gaps."""
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values]
