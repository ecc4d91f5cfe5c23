"""Report the answer in words, numbers and tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from baryon.interfaces import Evaluation, Table
from baryon.terminal.rounding import short, within
from baryon_hep.evaluator.comparison import AtRate, Comparison
from baryon_hep.evaluator.efficiency import Efficiency, Interval
from baryon_hep.evaluator.results import Rejection, Results
from baryon_hep.evaluator.roc_points import roc_points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = list[str | float | int]


def report(results: Results, figures: Mapping[str, Figure]) -> Evaluation:
    """Return summary, metrics, tables and warnings, with the figures."""
    return Evaluation(
        summary=_summary(results),
        metrics=_metrics(results),
        tables=_tables(results),
        figures=figures,
        warnings=list(_warnings(results)),
        # Not the loss: losses of other weightings cannot be compared.
        judged_by=("efficiency_ratio", "auc"),
        curves={"roc": roc_points(results)},
    )


def _metrics(results: Results) -> dict[str, float]:
    return {
        **_with_ends("auc", results.area.value, results.area.interval),
        **(_compared(results.comparison, results) if results.comparison else {}),
        **_at_lowest(results.lowest),
        **_rejected(results.rejection(0.3)),
        **_rejected(results.rejection(0.5)),
        "signal_events": float(len(results.of_class(1))),
        "background_events": float(len(results.of_class(0))),
    }


def _compared(comparison: Comparison, results: Results) -> dict[str, float]:
    network, cuts, signal = comparison.network, comparison.cuts_background, comparison.cuts_signal
    supported = _supported(cuts, results)
    return {
        **_with_ends(
            "signal_efficiency",
            network.point.tpr if network else math.nan,
            network.signal if network else Interval(),
        ),
        **_with_ends("cuts_signal_efficiency", signal.value, signal.interval),
        **_with_ends(
            "cuts_false_positive_rate",
            cuts.value if supported else math.nan,
            cuts.interval if supported else Interval(),
        ),
        "cuts_false_positive_rate_limit": cuts.limit,
        # No fraction of an event tells anything.
        "cuts_effective_background_events": cuts.effective_events if _any(cuts) else 0.0,
        **_with_ends("efficiency_ratio", comparison.ratio, comparison.ratio_interval),
    }


def _at_lowest(lowest: AtRate | None) -> dict[str, float]:
    value, ends = (lowest.point.tpr, lowest.signal) if lowest else (math.nan, Interval())
    return {
        "lowest_false_positive_rate": lowest.rate if lowest else math.nan,
        **_with_ends("signal_efficiency_at_lowest_rate", value, ends),
    }


def _rejected(rejection: Rejection) -> dict[str, float]:
    low, high = rejection.ends
    name = f"background_rejection_at_{100 * rejection.signal_efficiency:.0f}"
    return {name: rejection.value, f"{name}_low": low, f"{name}_high": high}


def _with_ends(name: str, value: float, interval: Interval) -> dict[str, float]:
    """Return a metric with the ends of its 68 % interval."""
    return {name: value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _supported(kept: Efficiency, results: Results) -> bool:
    return kept.effective_events >= results.minimum_effective_background


def _summary(results: Results) -> str:
    comparison = results.comparison
    of_area = f"area {_in_words(results.area.value, results.area.interval)}"
    if comparison is None:
        half = results.rejection(0.5)
        return (
            f"background rejection {_rejection_in_words(half)} at 50 % signal efficiency; {of_area}"
        )
    network, cuts = comparison.network, comparison.cuts_signal
    of_cuts = _in_words(cuts.value, cuts.interval)
    if network is None:
        rate = _rate_in_words(comparison.cuts_background, results)
        return (
            f"{_lowest_in_words(results)}; the cuts keep {of_cuts} at a false-positive rate "
            f"{rate}, with too little background for a comparison; {of_area}"
        )
    efficiency = _in_words(network.point.tpr, network.signal)
    return (
        f"signal efficiency {efficiency} against the cuts' {of_cuts} at the same false-positive "
        f"rate of {_in_words(network.rate, comparison.cuts_background.interval)} "
        f"(ratio {_in_words(comparison.ratio, comparison.ratio_interval)}); {of_area}"
    )


def _in_words(value: float, interval: Interval) -> str:
    return within(value, interval.low, interval.high)


def _lowest_in_words(results: Results) -> str:
    """Describe the network at the lowest rate that the background supports."""
    lowest = results.lowest
    if lowest is None:
        return "this sample supports no false-positive rate"
    return (
        f"signal efficiency {_in_words(lowest.point.tpr, lowest.signal)} at a false-positive rate "
        f"of {short(lowest.rate)}, the lowest that this sample supports"
    )


def _rate_in_words(kept: Efficiency, results: Results) -> str:
    if not _supported(kept, results):
        return f"below {short(kept.limit)} (95 %)"
    return f"of {_in_words(kept.value, kept.interval)}"


def _rejection_in_words(rejection: Rejection) -> str:
    if not rejection.supported:
        return f"above {short(rejection.lower_limit)} (95 %)"
    return within(rejection.value, *rejection.ends)


def _tables(results: Results) -> dict[str, Table]:
    return {
        "working_point": _working_point(results),
        "background_rejection": _rejection_table(results),
    }


def _working_point(results: Results) -> Table:
    comparison, lowest = results.comparison, results.lowest
    rows: list[Row] = []
    if comparison:
        signal, cuts = comparison.cuts_signal, comparison.cuts_background
        rows.append(["cuts", *_ends(signal.value, signal.interval), *_background(cuts, results)])
    if comparison and comparison.network:
        rows.append(_network_row("network, as the cuts", comparison.network, results))
    if lowest:
        rows.append(_network_row("network, lowest rate", lowest, results))
    return Table(
        columns=["selection", "signal efficiency", "95 %", *_OF_BACKGROUND],
        rows=rows,
        caption=(
            "The network at the false-positive rate of the cuts, and at the lowest that this "
            "sample supports; events weighted, central intervals of 68 and 95 %, limits of 95 %. "
            f"{_EFFECTIVE} Below {results.minimum_effective_background:g} only a limit is stated."
        ),
    )


_OF_BACKGROUND = ["false-positive rate", "95 %", "background events kept", "effective"]
_EFFECTIVE = (
    "Effective: as many background events of equal weight would tell the rate as well, given that "
    "one of the heaviest may have been missed."
)


def _network_row(name: str, network: AtRate, results: Results) -> Row:
    of_signal = _ends(network.point.tpr, network.signal)
    return [name, *of_signal, *_background(network.background, results)]


def _background(kept: Efficiency, results: Results) -> Row:
    """Return the cells of `_OF_BACKGROUND`."""
    rate: Row = [_rate_in_words(kept, results), ""]
    if _supported(kept, results):
        rate = _ends(kept.value, kept.interval)
    return [*rate, kept.events, _effective(kept)]


def _ends(value: float, interval: Interval) -> Row:
    """Return a value with its 68 % interval, and the ends of its 95 % interval."""
    return [
        _in_words(value, interval),
        f"{_end(interval.low_95)} to {_end(interval.high_95)}",
    ]


def _end(value: float) -> str:
    return f"{value:.3f}" if value >= 0.1 else short(value)


def _effective(kept: Efficiency) -> str:
    return f"{kept.effective_events:.3g}" if _any(kept) else "below 1"


def _any(kept: Efficiency) -> bool:
    """Return whether a selection is worth at least one event."""
    return kept.effective_events >= 1


def _rejection_table(results: Results) -> Table:
    of_area = _in_words(results.area.value, results.area.interval)
    rejections = [results.rejection(share) for share in (0.3, 0.5)]
    return Table(
        columns=[
            "signal efficiency",
            "rejection 1/FPR",
            "background events kept",
            "effective",
        ],
        rows=[
            [
                rejection.signal_efficiency,
                _rejection_in_words(rejection),
                rejection.kept.events,
                _effective(rejection.kept),
            ]
            for rejection in rejections
        ],
        caption=f"Area under the curve {of_area}.",
    )


def _warnings(results: Results) -> Iterator[str]:
    comparison = results.comparison
    if comparison is None:
        unknown = int((results.events["psr"] < 0).sum())
        yield (
            f"no comparison with the cuts: {unknown} of {len(results.events)} events carry no cut "
            "flag (psr)"
        )
    elif comparison.network is None:
        yield _too_little(comparison.cuts_background, results)
    elif math.isnan(comparison.ratio):
        yield "no efficiency ratio: no signal event passes the cuts; evaluate on more signal"
    few = [
        f"{rejection.signal_efficiency:.0%} ({rejection.kept.events} left)"
        for rejection in (results.rejection(share) for share in (0.3, 0.5))
        if not rejection.supported
    ]
    if few:
        yield (
            f"background rejections are lower limits at signal efficiencies of {', '.join(few)}: "
            f"fewer than {results.minimum_effective_background:g} effective background events"
        )


def _too_little(cuts: Efficiency, results: Results) -> str:
    minimum = results.minimum_effective_background
    kept = f"{cuts.events} background events pass the cuts"
    if cuts.events:
        kept += f", effectively {_effective(cuts)}"
    return (
        f"no comparison at the cuts' false-positive rate: {kept}, where {minimum:g} effective ones "
        "are needed of cuts and network; evaluate on more background"
    )
