"""The log of a run as charts: what `chart.js` draws.

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

POINTS = 800
"""Most points of a series: more than a screen is wide would not be seen, but weigh."""
POINTS_OF_ALL = 40_000
"""Of a chart of many runs."""

WHERE = {"kind", "step", "epoch", "seconds", STEPS}
RATES = {"samples_per_second": "samples/s", "tflops_per_second": "TFLOP/s", "mfu": ""}
SUMS = {"ms", "comm"}
"""Entries of a line of the log that hold several values by name."""


def loss_terms(records: Sequence[LogLine]) -> list[str]:
    """The terms' names; their sum only where there is more than one."""
    ignored = WHERE | RATES.keys() | SUMS
    names = [name for name in (records[0] if records else {}) if name not in ignored]
    return names if len(names) > 2 else names[1:]


def of_run(run: RunRecord) -> list[Chart]:
    """All charts of one run; one of which nothing was logged is left out."""
    train, validation = run.lines("train"), run.lines("validation")
    found = [
        _losses(train, validation),
        _chart("rate", "Samples a second", "samples/s", [_rate(train, "samples_per_second")]),
        _phases(train),
        _staleness(train),
        *_others(train),
    ]
    return [chart for chart in found if chart["series"]]


def of_runs(runs: Mapping[str, RunRecord]) -> list[Chart]:
    """The same quantity of several runs in one chart each."""
    most = max(20, min(POINTS, POINTS_OF_ALL // max(1, len(runs))))
    wanted = (
        ("validation", "Validation loss", "loss", "validation", "loss"),
        ("training", "Training loss", "loss", "train", "loss"),
        ("rate", "Samples a second", "samples/s", "train", "samples_per_second"),
    )
    found = []
    for name, title, unit, kind, key in wanted:
        series = [
            {**_series(label, run.lines(kind), key, most), "colour": number, "dots": False}
            for number, (label, run) in enumerate(runs.items())
        ]
        if any(len(one["y"]) > 1 for one in series):  # single values stand in the table
            found.append(_chart(name, title, unit, series, log=unit == "loss"))
    return [chart for chart in found if chart["series"]]


def _losses(train: Sequence[LogLine], validation: Sequence[LogLine]) -> Chart:
    """Training and validation of a term have the same colour."""
    names = list(dict.fromkeys([*loss_terms(train), *loss_terms(validation)]))
    several = len(names) > 1
    series = []
    for number, name in enumerate(names):
        for kind, records in (("training", train), ("validation", validation)):
            label = f"{name.replace('_', ' ')}, {kind}" if several else kind
            one = _series(label, records, name)
            colour = number if several else number + (kind == "validation")
            series.append(one | {"colour": colour, "dots": kind == "validation"})
    title = "Loss" if several else f"Loss: {''.join(names).replace('_', ' ')}"
    return _chart("loss", title, "loss", series, log=True)


def _rate(train: Sequence[LogLine], key: str) -> Series:
    return _series("all workers", train, key) | {"colour": 0}


def _phases(train: Sequence[LogLine]) -> Chart:
    """Milliseconds a step of each phase, one on top of the other."""
    records = [one for one in train if isinstance(one.get("ms"), Mapping)]
    names = dict.fromkeys(name for one in records for name in one["ms"] if name not in SELDOM)
    buckets = _buckets(records, POINTS // 4)
    series = []
    for number, name in enumerate(names):
        ys = [_mean(one["ms"].get(name, 0.0) for one in bucket) for bucket in buckets]
        steps = [bucket[-1]["step"] for bucket in buckets]
        seconds = [bucket[-1]["seconds"] for bucket in buckets]
        if any(ys):
            series.append(
                {
                    "name": name,
                    "step": steps,
                    "seconds": seconds,
                    "y": _short(ys),
                    "colour": phase_colour(name, number),
                }
            )
    return _chart("phases", "Time of a step", "ms", series) | {"stacked": True}


PHASE_COLOURS = {
    "forward": 0, "backward": 5, "optimizer": 2, "input": 1, "communication": 3,
    "checkpoint": 6, "evaluation": 4, "rest": 7, "start": 8, "lost": 9,
}  # fmt: skip


SELDOM = ("start", "checkpoint", "evaluation")
"""Phases that are not part of every step: their peaks would hide the others."""


def phase_colour(name: str, number: int) -> int:
    """The same in every chart of every run."""
    return PHASE_COLOURS.get(name, number)


def _staleness(train: Sequence[LogLine]) -> Chart:
    """Of the mean, and of each layer."""
    lines = _inner(train, "comm")
    names = sorted({name for line in lines for name in line if name.startswith("staleness")})
    series = [
        _series(
            name.removeprefix("staleness_").replace("staleness", "mean of all layers"), lines, name
        )
        | {"colour": number, "thin": number > 0}
        for number, name in enumerate(names)
    ]
    return _chart("staleness", "Staleness of gradients", "updates by others", series)


def _others(train: Sequence[LogLine]) -> list[Chart]:
    """What else a communicator measured, a chart each."""
    lines = _inner(train, "comm")
    names = dict.fromkeys(name for line in lines for name in line if name not in WHERE)
    titles = {
        "exposed_ms": ("Exposed communication", "ms a step"),
        "updates_per_step": ("Updates of the weights in a step", "updates"),
    }
    found = []
    for name in names:
        if not name.startswith("staleness"):
            title, unit = titles.get(name, (name.replace("_", " "), ""))
            found.append(_chart(f"comm-{name}", title, unit, [_series(title, lines, name)]))
    return found


def _inner(records: Sequence[LogLine], key: str) -> list[LogLine]:
    """What lies under a key, with where it was measured."""
    return [
        {**one[key], "step": one["step"], "seconds": one["seconds"]}
        for one in records
        if isinstance(one.get(key), Mapping)
    ]


def _chart(
    name: str, title: str, unit: str, series: Iterable[Series], *, log: bool = False
) -> Chart:
    drawn = [{"colour": 0, "dots": False, **one} for one in series if one["y"]]
    return {
        "id": name, "title": title, "unit": unit, "log": log, "stacked": False, "series": drawn,
    }  # fmt: skip


def _series(name: str, records: Sequence[LogLine], key: str, most: int = POINTS) -> Series:
    """Thinned so that every stretch keeps its lowest and its highest value."""
    there = [one for one in records if _is_number(one.get(key))]
    kept: list[LogLine] = []
    for bucket in _buckets(there, most // 2):
        ends = {min(bucket, key=_by(key))["step"], max(bucket, key=_by(key))["step"]}
        kept += [one for one in bucket if len(bucket) <= 2 or one["step"] in ends]
    return {
        "name": name,
        "step": [one["step"] for one in kept],
        "seconds": [one.get("seconds") for one in kept],
        "y": _short([one[key] for one in kept]),
    }


def _by(key: str) -> Any:
    return lambda record: record[key] if math.isfinite(record[key]) else math.inf


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _buckets(records: Sequence[LogLine], most: int) -> list[Sequence[LogLine]]:
    size = max(1, -(-len(records) // max(1, most)))
    return [records[start : start + size] for start in range(0, len(records), size)]


def _mean(values: Iterable[float]) -> float:
    there = [value for value in values if _is_number(value)]
    return sum(there) / len(there) if there else 0.0


def _short(values: Sequence[float]) -> list[float | None]:
    """Five digits are more than a screen shows; what is not finite is a gap."""
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values]
