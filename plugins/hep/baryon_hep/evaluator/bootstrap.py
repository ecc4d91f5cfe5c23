"""What the signal efficiencies of network and cuts may be, given a sample of finite size.

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
    """The N events of one class."""

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
    """(R,) at the false-positive rate asked for, or that the cuts have in the same replica."""
    cuts: NDArray[np.float64]
    """(R,)"""

    @property
    def ratio(self) -> NDArray[np.float64]:
        """(R,) the network's efficiency over the cuts'."""
        return self.network / self.cuts


def bootstrap(
    signal: Sample, background: Sample, replicas: int, seed: int, rate: float | None = None
) -> Replicas:
    """Draw `replicas` samples; the same seed and order of events give the same draws.

    The network's threshold is where its false-positive rate is `rate`, or that of the cuts.
    """
    rng = np.random.default_rng(seed)
    signal, background = signal.by_score(), background.by_score()
    last = np.append(np.flatnonzero(np.diff(background.score)), len(background.score) - 1)
    scores = background.score[last]
    above = np.searchsorted(-signal.score, -scores, side="left")
    down_to = np.searchsorted(-signal.score, -scores, side="right")
    network, cuts = np.zeros((2, replicas))
    for replica in range(replicas):
        drawn = _draw(background, rng)
        kept = drawn.only_network + np.cumsum(drawn.share)[last]
        target = drawn.cuts(background) if rate is None else rate
        group = int(np.searchsorted(kept, target * (1 + SAME), side="right"))
        of_signal = _draw(signal, rng)
        network[replica] = _kept_signal(of_signal, drawn, kept, target, group, above, down_to)
        cuts[replica] = of_signal.cuts(signal)
    return Replicas(network, cuts)


@dataclass(frozen=True, slots=True)
class _Draw:
    """Shares of a class's weight in one replica."""

    share: NDArray[np.float64]
    """(N,) of each event."""
    only_network: float
    """Of what was not seen, and only the network keeps."""
    only_cuts: float

    def cuts(self, sample: Sample) -> float:
        """Return the share that the cuts keep."""
        return float(self.share[sample.passes].sum()) + self.only_cuts


def _draw(sample: Sample, rng: np.random.Generator) -> _Draw:
    of = sample.slices
    weight = sample.weight * rng.standard_exponential(len(sample.weight))
    unseen = of.unseen * rng.gamma(prior(of), size=(2, len(of.weight)))
    drawn = of.summed(weight) + unseen.sum(axis=0)
    scale = of.weight / of.weight.sum() / np.maximum(drawn, np.finfo(float).tiny)
    only_network, only_cuts = unseen @ scale
    return _Draw(weight * scale[of.of_event], float(only_network), float(only_cuts))


def _kept_signal(
    signal: _Draw,
    background: _Draw,
    kept: NDArray[np.float64],
    target: float,
    group: int,
    above: NDArray[np.int64],
    down_to: NDArray[np.int64],
) -> float:
    """The signal above the threshold: all above `group`, and the part of it that fills `target`.

    `kept` (G,) is the background kept down to each group of equal score, `above` and `down_to` (G,)
    the number of signal events above and down to its score.
    """
    if target < background.only_network:
        return 0.0
    if group == len(kept):
        return 1.0
    before = kept[group - 1] if group else background.only_network
    part = (target - before) / (kept[group] - before)
    # Signal between two scores of background costs nothing: it lies above the lower one.
    whole, tied = signal.share[: above[group]], signal.share[above[group] : down_to[group]]
    return float(whole.sum() + max(0.0, part) * tied.sum()) + signal.only_network
