"""What the signal efficiencies of network and cuts would be in other samples of the same size.

Poisson bootstrap: in every replica each event counts Poisson(1) times, for both selections alike,
so that their correlation is kept. Exact, but frugal: background is drawn only as far down the
scores as a replica's threshold lies, and signal events that share weight, flag and side of the
thresholds are drawn as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baryon_hep.evaluator.roc import SAME

_FIRST_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """The N events of one class."""

    score: NDArray[np.float64]
    weight: NDArray[np.float64]
    passes: NDArray[np.bool_]
    """Whether the cuts keep the event."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """Signal efficiencies in R replicas."""

    network: NDArray[np.float64]
    """(R,) at the false-positive rate that the cuts have in the same replica."""
    cuts: NDArray[np.float64]
    """(R,)"""

    def errors(self) -> tuple[float, float]:
        """Standard deviations of the network's efficiency and of its ratio to the cuts'.

        NaN for the ratio if in some replica the cuts keep no signal.
        """
        return _spread(self.network), _spread(_ratio(self.network, self.cuts))


def bootstrap(signal: Sample, background: Sample, replicas: int, seed: int) -> Replicas:
    """Draw `replicas` samples; the same seed and order of events give the same draws."""
    rng = np.random.default_rng(seed)
    blocks = list(_blocks(background))
    thresholds = [_threshold(blocks, rng) for _ in range(replicas)]
    return _efficiencies(signal, np.array(thresholds), rng)


@dataclass(frozen=True, slots=True)
class _Block:
    """Some background events, falling in score; ties are never parted."""

    weight: NDArray[np.float64]
    passing: NDArray[np.int64]
    """Which of these the cuts keep."""
    starts: NDArray[np.int64]
    """The first of each group of equal score."""
    score: NDArray[np.float64]
    """Of each group."""


def _blocks(sample: Sample) -> Iterator[_Block]:
    """All events in blocks that double in size."""
    order = np.argsort(-sample.score, kind="stable")
    score, weight, passes = sample.score[order], sample.weight[order], sample.passes[order]
    groups = np.append(0, np.flatnonzero(np.diff(score)) + 1)
    start, size = 0, _FIRST_BLOCK
    while start < len(score):
        after = np.searchsorted(groups, start + size)
        stop = int(groups[after]) if after < len(groups) else len(score)
        inside = groups[np.searchsorted(groups, start) : after]
        rows = slice(start, stop)
        yield _Block(weight[rows], np.flatnonzero(passes[rows]), inside - start, score[inside])
        start, size = stop, 2 * size


def _threshold(blocks: list[_Block], rng: np.random.Generator) -> tuple[float, float]:
    """Where a replica's network keeps as much background as its cuts do.

    A score, and the part of the events at just this score that is kept as well. Both selections
    divide by the same total, which therefore need not be drawn.
    """
    passing = [block.weight[block.passing] * _counts(block.passing, rng) for block in blocks]
    target = sum(float(weight.sum()) for weight in passing)
    above = 0.0
    for block, drawn in zip(blocks, passing, strict=True):
        weight = block.weight * _counts(block.weight, rng)
        weight[block.passing] = drawn
        groups = np.add.reduceat(weight, block.starts)
        kept = above + np.cumsum(groups)
        first = int(np.searchsorted(kept, target * (1 + SAME), side="right"))
        if first < len(kept):
            part = 1 - (kept[first] - target) / groups[first]
            return float(block.score[first]), max(0.0, float(part))
        above = float(kept[-1])
    return -np.inf, 1.0


def _efficiencies(
    signal: Sample, thresholds: NDArray[np.float64], rng: np.random.Generator
) -> Replicas:
    """Both selections' efficiencies on the same resampled signal; `thresholds` is (R, 2)."""
    levels, level = np.unique(thresholds[:, 0], return_inverse=True)
    cells = _cells(signal, levels)
    network, cuts, total = np.zeros((3, len(thresholds)))
    for replica, (at, part) in enumerate(zip(2 * level + 1, thresholds[:, 1], strict=True)):
        weight = cells.weight * rng.poisson(cells.events)
        network[replica] = weight[cells.side > at].sum() + part * weight[cells.side == at].sum()
        cuts[replica] = weight[cells.passes].sum()
        total[replica] = weight.sum()
    return Replicas(_ratio(network, total), _ratio(cuts, total))


@dataclass(frozen=True, slots=True)
class _Cells:
    """Events that are alike: a sum of n independent Poisson(1) counts is one Poisson(n) count."""

    events: NDArray[np.int64]
    weight: NDArray[np.float64]
    """Of each event."""
    side: NDArray[np.int64]
    """2i+1: the score is level i; 2i: it is between levels i-1 and i."""
    passes: NDArray[np.bool_]


def _cells(sample: Sample, levels: NDArray[np.float64]) -> _Cells:
    side = np.searchsorted(levels, sample.score, side="left")
    side += np.searchsorted(levels, sample.score, side="right")
    _, weight = np.unique(sample.weight, return_inverse=True)
    alike = (weight * (2 * len(levels) + 1) + side) * 2 + sample.passes
    _, first, events = np.unique(alike, return_index=True, return_counts=True)
    return _Cells(events, sample.weight[first], side[first], sample.passes[first])


def _counts(like: NDArray[np.generic], rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.poisson(1.0, len(like))


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where there is nothing to divide by."""
    ratio = np.full(len(below), np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio


def _spread(values: NDArray[np.float64]) -> float:
    return float(np.std(values, ddof=1))
