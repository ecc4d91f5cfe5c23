"""Say how much each swept key matters: the share of the jobs' ranks that its values explain.

The measure is the effect size of a Kruskal-Wallis test, η² = (H - k + 1) / (n - k) of n jobs in k
groups (Tomczak & Tomczak, Trends in Sport Sciences 21, 2014): the share of the variance of the
ranks that lies between the groups, less what chance puts there. Ranks, for one diverged job would
else decide alone. Of each key by itself: what keys do only together is not seen.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from baryon.report.page.runs_table import scalar

MAX_BINS = 5
"""Groups of a key whose values hardly ever come twice, as those that a search draws."""
JOBS_OF_BIN = 3
"""Jobs of such a group at the least."""

Numbers = np.ndarray[Any, np.dtype[np.float64]]


def importance(
    swept: Sequence[str], choices: Sequence[Mapping[str, Any]], values: Sequence[float | None]
) -> list[dict[str, Any]]:
    """Return the swept keys with their share from 0 to 1, the most important first.

    Parameters
    ----------
    swept
        Names of the swept keys.
    choices
        The values of the keys of each job.
    values
        What each job is judged by; those without one do not count.

    Returns
    -------
    list
        `name` and `share` of each key of which enough jobs are known.

    """
    judged = [(job, value) for job, value in zip(choices, values, strict=True) if value is not None]
    ranks = _ranks(np.array([value for _, value in judged], np.float64))
    shares = {key: _share(_groups([job.get(key) for job, _ in judged]), ranks) for key in swept}
    known = [{"name": key, "share": share} for key, share in shares.items() if share is not None]
    return sorted(known, key=lambda entry: -entry["share"])


def _ranks(values: Numbers) -> Numbers:
    """Return the rank of each value; equal values share the mean of theirs."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Numbers = (last - (counts - 1) / 2)[group]
    return ranks


def _groups(values: Sequence[Any]) -> list[Hashable]:
    """Return the group of each job: its value, or the bin of numbers that hardly come twice."""
    plain = [scalar(value) for value in values]
    different = set(map(str, plain))
    are_numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in plain)
    if 2 * len(different) <= len(plain) or not are_numbers:
        return list(map(str, plain))
    bins = min(MAX_BINS, len(plain) // JOBS_OF_BIN)
    # By rank, so that rates which are drawn on a logarithmic scale fill the bins alike.
    ranks = _ranks(np.array(plain, np.float64))
    return [int(rank) for rank in (ranks - 0.5) * bins // len(plain)] if bins else list(plain)


def _share(groups: Sequence[Hashable], ranks: Numbers) -> float | None:
    """Return η² of groups, not below 0; None where no group has two jobs or all ranks are equal."""
    jobs, total = len(ranks), float(np.square(ranks - ranks.mean()).sum()) if len(ranks) else 0.0
    names = set(groups)
    if len(names) < 2 or jobs <= len(names) or total == 0:
        return None
    members = [ranks[[group == name for group in groups]] for name in names]
    between = sum(len(m) * (float(m.mean()) - float(ranks.mean())) ** 2 for m in members)
    h = (jobs - 1) * between / total  # Kruskal-Wallis, corrected for ties
    return min(1.0, max(0.0, (h - len(names) + 1) / (jobs - len(names))))
