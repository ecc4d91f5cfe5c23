"""The answer in words, numbers and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from baryon.interfaces import Curve, Evaluation, Table
from baryon.terminal.rounding import with_error
from baryon_climate.classes import CLASSES, SHORT
from baryon_climate.evaluator.frames import HEURISTIC, NETWORK
from baryon_climate.evaluator.precisions import precision_over_recall
from baryon_climate.evaluator.results import Finder, Results
from baryon_climate.evaluator.skill import Skill

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row: TypeAlias = "list[str | float | int]"
NAMES = {NETWORK: "network", HEURISTIC: "criteria"}
PREFIX = {NETWORK: "", HEURISTIC: "criteria_"}
COCO_AT = 0.5
_CURVE_POINTS = 200


def report(results: Results, figures: Mapping[str, Figure]) -> Evaluation:
    """Return the evaluation of a split: summary, metrics, tables, warnings and the figures."""
    return Evaluation(
        summary=_summary(results),
        metrics=_metrics(results),
        tables={
            "average_precision": _precision_table(results),
            "skill": _skill_table(results),
            "sizes": _size_table(results),
        },
        figures=figures,
        warnings=list(_warnings(results)),
        curves=dict(_curves(results)),
        judged_by=tuple(f"mean_ap_{100 * at:.0f}" for at in results.overlaps),
    )


def _curves(results: Results) -> Iterator[tuple[str, Curve]]:
    """Yield precision over recall of each class with known boxes, at the middle overlap."""
    at = results.overlaps[len(results.overlaps) // 2]
    precisions = results.finders[NETWORK].precisions["racah"]
    for number, storm_class in enumerate(CLASSES):
        recall, precision = precision_over_recall(precisions, number, at)
        if len(recall):
            # A curve has a point for each box from a low score on, far more than can be told apart.
            shown = np.unique(np.linspace(0, len(recall) - 1, _CURVE_POINTS).astype(int))
            yield (
                f"precision_recall_{storm_class.short}",
                Curve(
                    x=recall[shown].tolist(),
                    y=precision[shown].tolist(),
                    x_label=f"Recall, {storm_class.name}",
                    y_label=f"Precision at IoU > {at:g}",
                ),
            )


def _summary(results: Results) -> str:
    network = results.finders[NETWORK]
    means = ", ".join(
        f"{_with_error(*network.precisions['racah'].mean(at))} at IoU {at:g}"
        for at in results.overlaps
    )
    of_range = _with_error(*network.precisions["coco"].mean_of_range())
    against = ""
    if HEURISTIC in results.finders:
        by_criteria = results.finders[HEURISTIC].precisions["racah"]
        means_of_criteria = ", ".join(f"{by_criteria.mean(at)[0]:.2f}" for at in results.overlaps)
        against = f" (criteria: {means_of_criteria})"
    return (
        f"mean average precision {means}{against}; {of_range} over COCO's 0.5 to 0.95; on "
        f"{sum(results.known)} events in {len(results.frames)} frames"
    )


def _with_error(value: float, error: float) -> str:
    # Without an error (all replicas alike, or too few known) no digit is the last: two decimals.
    return with_error(value, error) if error > 0 else f"{value:.2f}"


def _metrics(results: Results) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for finder_name, finder in results.finders.items():
        of_finder = {**_precision_metrics(finder, results), **_skill_metrics(finder)}
        metrics |= {PREFIX[finder_name] + name: value for name, value in of_finder.items()}
    events = {f"events_{short}": float(n) for short, n in zip(SHORT, results.known, strict=True)}
    return metrics | {"frames": float(len(results.frames)), **events}


def _precision_metrics(finder: Finder, results: Results) -> dict[str, float]:
    metrics: dict[str, float] = {}
    racah, coco = finder.precisions["racah"], finder.precisions["coco"]
    for at in results.overlaps:
        name = f"ap_{100 * at:.0f}"
        metrics[f"mean_{name}"], metrics[f"mean_{name}_error"] = racah.mean(at)
        for number, short in enumerate(SHORT):
            metrics[f"{name}_{short}"] = racah.of_class(number, at)[0]
    metrics["mean_ap_coco"], metrics["mean_ap_coco_error"] = coco.mean_of_range()
    metrics["mean_ap_coco_50"], metrics["mean_ap_coco_50_error"] = coco.mean(COCO_AT)
    return metrics


def _skill_metrics(finder: Finder) -> dict[str, float]:
    return {
        f"{name}_{short}": value
        for short, skill in zip(SHORT, finder.skill, strict=True)
        for name, value in (("pod", skill.pod), ("far", skill.far), ("csi", skill.csi))
    }


def _precision_table(results: Results) -> Table:
    columns = ["class", "events", "found by", *(f"IoU {at:g}" for at in results.overlaps)]
    rows: list[Row] = []
    for number, storm_class in enumerate(CLASSES):
        for finder_name, finder in results.finders.items():
            racah, coco = finder.precisions["racah"], finder.precisions["coco"]
            of_class = [racah.of_class(number, at)[0] for at in results.overlaps]
            ranged = [coco.of_class(number, at)[0] for at in coco.thresholds if at >= COCO_AT]
            at_half = coco.of_class(number, COCO_AT)[0]
            mean = sum(ranged) / len(ranged)
            rows.append(
                [
                    storm_class.name,
                    results.known[number],
                    NAMES[finder_name],
                    *of_class,
                    at_half,
                    mean,
                ]
            )
    for finder_name, finder in results.finders.items():
        racah, coco = finder.precisions["racah"], finder.precisions["coco"]
        means = [_with_error(*racah.mean(at)) for at in results.overlaps]
        of_coco = [_with_error(*coco.mean(COCO_AT)), _with_error(*coco.mean_of_range())]
        rows.append(["mean", sum(results.known), NAMES[finder_name], *means, *of_coco])
    return Table(
        columns=[*columns, "COCO 0.5", "COCO 0.5:0.95"],
        rows=rows,
        caption="Average precision. IoU: as Racah et al. count (overlap above the threshold, area "
        "under the curve); COCO: at or above it, 101 recalls. Errors: bootstrap over frames.",
    )


def _skill_table(results: Results) -> Table:
    rows: list[Row] = []
    for number, storm_class in enumerate(CLASSES):
        far = results.kilometres[number]
        for finder_name, finder in results.finders.items():
            rows.append(
                [storm_class.name, far, NAMES[finder_name], *_skill_cells(finder.skill[number])]
            )
            if finder_name == NETWORK:
                rows.append(
                    [storm_class.name, far, "network, best", *_skill_cells(finder.best[number])]
                )
    return Table(
        columns=[
            *("class", "within km", "found by", "from score", "hits", "misses", "false alarms"),
            *("POD", "FAR", "CSI"),
        ],
        rows=rows,
        caption="A hit's centre lies within so many kilometres of an event's. POD: probability of "
        "detection, FAR: false-alarm ratio, CSI: critical success index. Best: from the score "
        "with the highest CSI on these very frames, an upper bound.",
    )


def _skill_cells(skill: Skill) -> Row:
    counts: Row = [skill.confidence, skill.hits, skill.misses, skill.false_alarms]
    return [*counts, skill.pod, skill.far, skill.csi]


def _size_table(results: Results) -> Table:
    rows: list[Row] = []
    for number, storm_class in enumerate(CLASSES):
        for finder_name, finder in results.finders.items():
            size = finder.sizes[number]
            in_thousands = [size.known_km2 / 1e3, size.found_km2 / 1e3]
            rows.append(
                [storm_class.name, NAMES[finder_name], size.hits, *in_thousands, size.ratio]
            )
    return Table(
        columns=["class", "found by", "hits", "known, 1000 km²", "found, 1000 km²", "median ratio"],
        rows=rows,
        caption="Area on the sphere of the boxes of the hits: means, and the median of found over "
        "known.",
    )


def _warnings(results: Results) -> Iterator[str]:
    for number, storm_class in enumerate(CLASSES):
        count = results.known[number]
        if not count:
            yield (
                f"there is no {storm_class.name} in these frames: means are over the other classes"
            )
        elif count < results.few:
            yield f"{storm_class.name}: its figures rest on few events, {count}"
    if results.unlabelled:
        yield (
            f"frames without labels were left out: {results.unlabelled} "
            "(dataset.empty_frames=labelled takes those without a box as empty)"
        )
