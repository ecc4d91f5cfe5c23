"""The answer in words, numbers and tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from baryon.interfaces import Evaluation, Table
from baryon_hep.evaluator.comparison import Comparison
from baryon_hep.evaluator.results import Rejection, Results
from baryon_hep.evaluator.roc import Point, area, area_error
from baryon_hep.evaluator.rounding import short, with_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def report(results: Results, figures: Mapping[str, Figure]) -> Evaluation:
    """Everything for the reader."""
    return Evaluation(
        summary=_summary(results),
        metrics=_metrics(results),
        tables=_tables(results),
        figures=figures,
        warnings=list(_warnings(results)),
    )


def _metrics(results: Results) -> dict[str, float]:
    return {
        "auc": area(results.roc),
        **(_compared(results.comparison) if results.comparison else {}),
        "background_rejection_at_30": results.rejection(0.3).value,
        "background_rejection_at_50": results.rejection(0.5).value,
        "signal_events": float(len(results.of_class(1))),
        "background_events": float(len(results.of_class(0))),
    }


def _compared(comparison: Comparison) -> dict[str, float]:
    cuts = comparison.cuts_background
    return {
        "signal_efficiency": comparison.signal_efficiency,
        "signal_efficiency_error": comparison.signal_efficiency_error,
        "cuts_signal_efficiency": comparison.cuts_signal.value,
        "cuts_false_positive_rate": cuts.value,
        "cuts_false_positive_rate_error": cuts.error if cuts.value else math.nan,
        "cuts_effective_background_events": cuts.effective_events,
        "efficiency_ratio": comparison.ratio,
        "efficiency_ratio_error": comparison.ratio_error,
    }


def _summary(results: Results) -> str:
    roc, comparison = results.roc, results.comparison
    of_area = f"area {with_error(area(roc), area_error(roc))}"
    if comparison is None:
        half = _rejection_in_words(results.rejection(0.5))
        return f"background rejection {half} at 50 % signal efficiency; {of_area}"
    if comparison.network is None:
        limit = short(results.fpr_limit)
        return (
            f"no background event passes the cuts (false-positive rate below {limit} at 95 %), "
            f"so that the network cannot be compared with them; {of_area}"
        )
    network = with_error(comparison.signal_efficiency, comparison.signal_efficiency_error)
    return (
        f"signal efficiency {network} against the cuts' {comparison.cuts_signal.value:.2f} at the "
        f"same false-positive rate of {short(comparison.cuts_background.value)} "
        f"(ratio {with_error(comparison.ratio, comparison.ratio_error)}); {of_area}"
    )


def _rejection_in_words(rejection: Rejection) -> str:
    if math.isnan(rejection.value):
        return f"above {short(rejection.lower_limit)} (95 %)"
    return short(rejection.value)


def _tables(results: Results) -> dict[str, Table]:
    tables = {"background_rejection": _rejection_table(results)}
    if results.comparison:
        tables = {"working_point": _working_point(results.comparison, results), **tables}
    return tables


def _working_point(comparison: Comparison, results: Results) -> Table:
    columns = ["selection", "signal efficiency", "±", "false-positive rate", "±"]
    cuts_signal, cuts = comparison.cuts_signal, comparison.cuts_background
    kept: list[str | float | int] = [cuts.events, cuts.effective_events]
    fpr: list[str | float | int] = [cuts.value, cuts.error]
    if not cuts.value:
        fpr = [f"below {short(results.fpr_limit)} (95 %)", ""]
    rows = [["cuts", cuts_signal.value, cuts_signal.error, *fpr, *kept]]
    if comparison.network:
        rows.append(_network_row(comparison, comparison.network))
    return Table(
        columns=[*columns, "background events kept", "effective"],
        rows=rows,
        caption="The network at the false-positive rate of the cuts; events weighted, errors one "
        "standard deviation. Effective: (sum w)^2 / sum w^2 of the background events kept.",
    )


def _network_row(comparison: Comparison, network: Point) -> list[str | float | int]:
    efficiency = [comparison.signal_efficiency, comparison.signal_efficiency_error]
    kept = [network.background_events, network.effective_background]
    return ["network", *efficiency, network.fpr, network.fpr_error, *kept]


def _rejection_table(results: Results) -> Table:
    of_area = with_error(area(results.roc), area_error(results.roc))
    return Table(
        columns=[
            "signal efficiency",
            "rejection 1/FPR",
            "±",
            "background events kept",
            "effective",
        ],
        rows=[_rejection_row(results.rejection(share)) for share in (0.3, 0.5)],
        caption=f"Area under the curve {of_area}.",
    )


def _rejection_row(rejection: Rejection) -> list[str | float | int]:
    point = rejection.point
    known: list[str | float | int] = [rejection.value, rejection.error]
    if math.isnan(rejection.value):
        known = [_rejection_in_words(rejection), ""]
    return [
        rejection.signal_efficiency,
        *known,
        point.background_events,
        point.effective_background,
    ]


def _warnings(results: Results) -> Iterator[str]:
    yield from _of_comparison(results)
    for share in (0.3, 0.5):
        rejection = results.rejection(share)
        point = rejection.point
        if point.effective_background < results.minimum_effective_background:
            yield (
                f"at {share:.0%} signal efficiency {_events(point)} are left, fewer than "
                f"{results.minimum_effective_background:g}: the background rejection there is "
                f"{_rejection_in_words(rejection)}, and uncertain"
            )


def _of_comparison(results: Results) -> Iterator[str]:
    comparison = results.comparison
    if comparison is None:
        unknown = int((results.events["psr"] < 0).sum())
        yield (
            f"no comparison with the cuts: {unknown} of {len(results.events)} events carry no cut "
            "flag (psr)"
        )
    elif comparison.network is None:
        yield (
            f"no background event passes the cuts: their false-positive rate is below "
            f"{short(results.fpr_limit)} (95 %), and efficiencies at it are not known; evaluate on "
            "more background"
        )
    else:
        yield from _of_working_point(comparison, comparison.network, results)


def _of_working_point(comparison: Comparison, network: Point, results: Results) -> Iterator[str]:
    cuts = comparison.cuts_background
    minimum = results.minimum_effective_background
    if min(cuts.effective_events, network.effective_background) < minimum:
        yield (
            f"few background events at the working point: {cuts.events} (effectively "
            f"{cuts.effective_events:.1f}) pass the cuts and {_events(network)} lie above the "
            f"network's threshold, where {minimum:g} are asked for: the false-positive rate is "
            f"uncertain by {cuts.error / cuts.value:.0%}"
        )
    if math.isnan(comparison.ratio_error):
        yield (
            "the error of the efficiency ratio is not known: in some bootstrap replicas no signal "
            "event passes the cuts; evaluate on more signal"
        )


def _events(point: Point) -> str:
    return f"{point.background_events} (effectively {point.effective_background:.1f})"
