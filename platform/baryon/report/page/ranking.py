"""Rank runs by a value, and shade them by their rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from baryon.report.page.charts import Chart

MAX_COLOURS = 8
"""Colours of the palette; more runs than that are told apart by how well they did."""


def ranks(values: Sequence[float | None], *, higher: bool) -> list[int | None]:
    """Return the rank of each value, 0 for the best; None where there is no value.

    `higher` says that a large value is a good one.
    """
    with_value = sorted(
        (number for number, value in enumerate(values) if value is not None),
        # None was left out above; the type checker alone does not know.
        key=lambda number: values[number] or 0.0,
        reverse=higher,
    )
    rank = {number: place for place, number in enumerate(with_value)}
    return [rank.get(number) for number in range(len(values))]


def shades(of_ranks: Sequence[int | None]) -> list[float | None]:
    """Return for each rank a number from 1 for the best to 0 for the worst; None without a rank."""
    worst = max((rank for rank in of_ranks if rank is not None), default=0) or 1
    return [None if rank is None else 1.0 - rank / worst for rank in of_ranks]


def shade_charts(drawn: Sequence[Chart], shade: Mapping[str, float | None]) -> None:
    """Shade the series of runs, by their names, where there are more of them than colours."""
    if len(shade) <= MAX_COLOURS:
        return
    for chart in drawn:
        for series in chart["series"]:
            series["shade"] = shade.get(series["name"])
