"""Draw what the signal efficiencies of network and cuts may be, given a sample of finite size.

Bayesian bootstrap (Rubin, Annals of Statistics 9 (1981) 130): in every replica each event counts
Exp(1) times, for both selections alike, so that their correlation is kept, and every slice is
scaled back to its weight. A bootstrap of seen events alone knows nothing of a slice of which no
event was kept. So each of J slices also holds unseen events, 1/J of one that only the network keeps
and as much that only the cuts keep: the share of either selection then has the very posterior of
`efficiency`, and the network's threshold is as uncertain as the rate that it is to match.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baryon_hep.evaluator.efficiency import prior
from baryon_hep.evaluator.roc import SAME
from baryon_hep.evaluator.slices import Slices


@dataclass(frozen=True, slots=True)
class Sample:
    """The N events of a class."""

    score: NDArray[np.float64]
    weight: NDArray[np.float64]
    passes: NDArray[np.bool_]
    """Whether the cuts keep the event."""
    slices: Slices

    def by_score(self) -> Sample:
        """Return the same events, falling in score."""
        order = np.argsort(-self.score, kind="stable")
        ordered = Slices(
            self.slices.of_event[order],
            self.slices.weight,
            self.slices.squares,
            self.slices.heaviest,
        )
        return Sample(self.score[order], self.weight[order], self.passes[order], ordered)


@dataclass(frozen=True, slots=True)
class Replicas:
    """Signal efficiencies in R replicas."""

    network: NDArray[np.float64]
    """(R,) of the network, at the rate asked for or the rate of the cuts in the same replica."""
    cuts: NDArray[np.float64]
    """(R,) of the cuts."""

    @property
    def ratio(self) -> NDArray[np.float64]:
        """Efficiency of the network over that of the cuts (R,)."""
        return self.network / self.cuts


def bootstrap(
    signal: Sample, background: Sample, replicas: int, seed: int, rate: float | None = None
) -> Replicas:
    """Draw replicas of both classes; the same seed and order of events give the same draws.

    Parameters
    ----------
    signal, background
        Events of the two classes.
    replicas
        Number of replicas R.
    seed
        Seed of the random numbers.
    rate
        False-positive rate that sets the network's threshold; None: that of the cuts in the same
        replica.

    """
    rng = np.random.default_rng(seed)
    # Sorted once, not in every replica: what lies above a threshold is then a cumulative sum.
    signal, background = signal.by_score(), background.by_score()
    groups = _Groups.of(signal, background)
    network, cuts = np.zeros((2, replicas))
    for replica in range(replicas):
        drawn_background, drawn_signal = _draw(background, rng), _draw(signal, rng)
        target = drawn_background.cuts(background) if rate is None else rate
        network[replica] = groups.kept_signal(drawn_signal, drawn_background, target)
        cuts[replica] = drawn_signal.cuts(signal)
    return Replicas(network, cuts)


@dataclass(frozen=True, slots=True)
class _Draw:
    """Shares of a class's weight in one replica."""

    share: NDArray[np.float64]
    """(N,) share of each event."""
    only_network: float
    """Share of events that were not seen, and that only the network keeps."""
    only_cuts: float
    """Share of events that were not seen, and that only the cuts keep."""

    def cuts(self, sample: Sample) -> float:
        """Return the share that the cuts keep."""
        return float(self.share[sample.passes].sum()) + self.only_cuts


def _draw(sample: Sample, rng: np.random.Generator) -> _Draw:
    slices = sample.slices
    weight = sample.weight * rng.standard_exponential(len(sample.weight))
    unseen = slices.unseen * rng.gamma(prior(slices), size=(2, len(slices.weight)))
    drawn = slices.summed(weight) + unseen.sum(axis=0)
    # Each slice is scaled back to its weight, which the cross section tells better than its events.
    scale = slices.weight / slices.weight.sum() / np.maximum(drawn, np.finfo(float).tiny)
    only_network, only_cuts = unseen @ scale
    return _Draw(weight * scale[slices.of_event], float(only_network), float(only_cuts))


@dataclass(frozen=True, slots=True)
class _Groups:
    """The G groups of background events of equal score, falling in score."""

    last: NDArray[np.int64]
    """(G,) position of the last background event of each group."""
    above: NDArray[np.int64]
    """(G,) number of signal events above the group's score."""
    down_to: NDArray[np.int64]
    """(G,) number of signal events down to the group's score."""

    @classmethod
    def of(cls, signal: Sample, background: Sample) -> _Groups:
        """Group background that falls in score, and count the signal above each group."""
        last = np.append(np.flatnonzero(np.diff(background.score)), len(background.score) - 1)
        scores = background.score[last]
        above, down_to = (
            np.searchsorted(-signal.score, -scores, side) for side in ("left", "right")
        )
        return cls(last, above, down_to)

    def kept_signal(self, signal: _Draw, background: _Draw, target: float) -> float:
        """Return the share of signal that the network keeps at a false-positive rate `target`.

        That is all signal above a group, and the part of the group's own that fills `target`.
        """
        kept = background.only_network + np.cumsum(background.share)[self.last]
        group = int(np.searchsorted(kept, target * (1 + SAME), side="right"))
        if target < background.only_network:
            return 0.0
        if group == len(kept):
            return 1.0
        before = kept[group - 1] if group else background.only_network
        part = max(0.0, (target - before) / (kept[group] - before))
        # Signal between two scores of background costs nothing: it lies above the lower one.
        above, down_to = self.above[group], self.down_to[group]
        tied = signal.share[above:down_to].sum()
        return float(signal.share[:above].sum() + part * tied) + signal.only_network
