"""A verification in words, numbers and tables."""

from __future__ import annotations

import math

from baryon.interfaces import Table
from baryon.terminal.rounding import with_error
from baryon_climate.tracks.verification import Score, Scores, Verification

NAMES = {
    "position_km": "distance, km",
    "pressure_hpa": "minimum pressure, hPa",
    "wind_ms": "maximum wind, m/s",
    "duration_h": "duration, h",
}


def summary(result: Verification) -> str:
    """Return the answer in one sentence."""
    scores = result.all
    strong = f" of {result.least_knots:g} knots or more" if result.least_knots > 0 else ""
    return (
        f"probability of detection {shown(scores.pod)}, false-alarm ratio {shown(scores.far)}, "
        f"critical success index {shown(scores.csi)}: {scores.detected:,} of {scores.storms:,} "
        f"storms{strong} found within {result.within_km:g} km, "
        f"{scores.false_alarms:,} of {scores.tracks:,} tracks follow none"
    )


def metrics(result: Verification) -> dict[str, float]:
    """Return all figures by name, each with its standard deviation as `<name>_error`."""
    figures = _of_scores("", result.all)
    for name, scores in result.by_basin.items():
        figures |= _of_scores(f"_{name}", scores)
    for name, error in result.errors.items():
        figures |= {f"error_{name}": error.value, f"error_{name}_error": error.error}
    return figures | {"false_alarms_of_weaker_storms": float(result.weaker)}


def _of_scores(suffix: str, scores: Scores) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name in ("pod", "far", "csi"):
        score: Score = getattr(scores, name)
        figures |= {f"{name}{suffix}": score.value, f"{name}{suffix}_error": score.error}
    for name in ("storms", "detected", "tracks", "false_alarms"):
        figures[f"{name}{suffix}"] = float(getattr(scores, name))
    return figures


def tables(result: Verification) -> dict[str, Table]:
    """Return the scores by basin and by intensity, and the errors."""
    columns = ["storms", "detected", "tracks", "false alarms", "POD", "FAR", "CSI"]
    of_basins = {**result.by_basin, "all": result.all}
    return {
        "basins": Table(
            ["basin", *columns],
            [[name, *_cells(scores)] for name, scores in of_basins.items()],
            "POD: probability of detection, FAR: false-alarm ratio, CSI: critical success index. "
            "The basin is where a storm, or a track, is strongest. Errors: bootstrap over storms.",
        ),
        "intensity": Table(
            ["largest wind", *columns[:2], "POD"],
            [
                [name, scores.storms, scores.detected, shown(scores.pod)]
                for name, scores in result.by_category.items()
            ],
            "By the largest wind of the best track.",
        ),
        "errors": Table(
            ["track less best track", "mean"],
            [[NAMES[name], shown(error)] for name, error in result.errors.items()],
            "Means over detected storms, of each the track that follows it longest.",
        ),
    }


def _cells(scores: Scores) -> list[str | float | int]:
    counts = [scores.storms, scores.detected, scores.tracks, scores.false_alarms]
    return [*counts, shown(scores.pod), shown(scores.far), shown(scores.csi)]


def shown(score: Score) -> str:
    """Return a figure with its error, to the digits that it tells."""
    if math.isnan(score.value):
        return "-"
    return with_error(score.value, score.error) if score.error > 0 else f"{score.value:.3g}"
