"""Evaluator `gw_efficiency`: the share of chirps that a network detects, beside the matched filter.

The matched filter correlates a window with every chirp of a bank. In Gaussian noise of known
spectrum no search does better for a signal that is in the bank, so it is the bar; it also costs
the most. Both are held to the same rate of false alarms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from baryon import figures
from baryon.errors import BaryonError
from baryon.interfaces import Batch, Evaluation, Table

from baryon_gw.physics import SAMPLE_RATE, WINDOW, matched_filter, template_bank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Column = np.ndarray[Any, Any]
SECONDS = WINDOW / SAMPLE_RATE
BINS = 8
FEW_FALSE_ALARMS = 10


@dataclass(frozen=True)
class Search:
    """Performance of one ranking of the windows at a given rate of false alarms."""

    efficiency: float
    """Share of all chirps that are detected."""
    by_snr: Column
    """Share of the chirps in each bin of SNR."""
    half: float
    """SNR at which half of the chirps are detected; NaN if there is none."""


class GwEfficiency:
    """Compare a network with the matched filter at the same rate of false alarms.

    Parameters
    ----------
    false_alarm_seconds
        Seconds of noise in which one false alarm is allowed; at least a window.
    templates
        Number of chirps in the bank of the matched filter.
    chirp_mass
        Lowest and highest chirp mass of the bank, in solar masses.

    Raises
    ------
    BaryonError
        If `false_alarm_seconds` is shorter than a window.

    """

    def __init__(
        self, *, false_alarm_seconds: float, templates: int, chirp_mass: Sequence[float]
    ) -> None:
        if false_alarm_seconds < SECONDS:
            raise BaryonError(
                f"gw_efficiency: false_alarm_seconds={false_alarm_seconds} is below a window's "
                f"{SECONDS:g} s"
            )
        lowest, highest = chirp_mass
        self._bank = template_bank((lowest, highest), templates)
        self._false_alarm_seconds = false_alarm_seconds
        self._seen: list[Column] = []

    def update(self, output: torch.Tensor, batch: Batch) -> None:
        """Rank the windows of a batch by the network's `output` (N,) and by the matched filter."""
        columns = [
            batch["keys"].numpy(),
            batch["label"].numpy(),
            batch["snr"].numpy(),
            output.double().numpy(),
            matched_filter(batch["inputs"][:, 0].numpy(), self._bank),
        ]
        self._seen.append(np.stack([column.astype(np.float64) for column in columns]))

    def state(self) -> Any:
        """Return the table of all windows so far."""
        return self._seen

    def merge(self, state: Any) -> None:
        """Add the windows of another rank's evaluator."""
        self._seen += state

    def result(self) -> Evaluation:
        """Evaluate both rankings. Raises `BaryonError` without chirps or without enough noise."""
        if not self._seen:
            raise BaryonError("gw_efficiency has seen no windows: give another split")
        table = np.concatenate(self._seen, axis=1)
        # In the order of keys, so that the result does not depend on ranks.
        _, label, snr, network, bank = table[:, np.argsort(table[0])]
        chirps, quiet = label == 1, label == 0
        allowed = int(quiet.sum() * SECONDS / self._false_alarm_seconds)
        if not chirps.any() or not allowed:
            raise BaryonError(
                f"gw_efficiency: {chirps.sum()} chirps and {quiet.sum() * SECONDS:g} s of noise do "
                f"not tell one false alarm in {self._false_alarm_seconds:g} s: give more of both"
            )
        edges = np.linspace(snr[chirps].min(), snr[chirps].max() + 1e-6, BINS + 1)
        searches = {
            name: _search(ranks[chirps], ranks[quiet], snr[chirps], edges, allowed)
            for name, ranks in (("network", network), ("matched filter", bank))
        }
        return _evaluation(searches, edges, int(chirps.sum()), allowed, self._false_alarm_seconds)


def _search(chirps: Column, quiet: Column, snr: Column, edges: Column, allowed: int) -> Search:
    threshold = np.sort(quiet)[-allowed - 1]  # `allowed` windows of noise are above it
    detected = chirps > threshold
    bin_of_chirp = np.digitize(snr, edges) - 1
    by_snr = np.array([detected[bin_of_chirp == number].mean() for number in range(BINS)])
    return Search(float(detected.mean()), by_snr, _half((edges[1:] + edges[:-1]) / 2, by_snr))


def _half(snr: Column, efficiency: Column) -> float:
    """Interpolate the SNR at which the efficiency reaches one half."""
    above = np.flatnonzero(efficiency >= 0.5)
    if not len(above) or above[0] == 0:
        return float("nan")
    last, first = above[0] - 1, above[0]
    part = (0.5 - efficiency[last]) / (efficiency[first] - efficiency[last])
    return float(snr[last] + part * (snr[first] - snr[last]))


def _evaluation(
    searches: dict[str, Search], edges: Column, chirps: int, alarms: int, seconds: float
) -> Evaluation:
    network, bank = searches["network"], searches["matched filter"]
    # Every chirp is detected or not, independently. The binomial standard deviation would be zero
    # where all or none are; that of the Beta distribution (Bayes and Laplace) is not.
    detected = network.efficiency * chirps
    error = float(np.sqrt((detected + 1) * (chirps - detected + 1) / (chirps + 3)) / (chirps + 2))
    # A chirp's SNR falls as 1 / distance, so the ratio of SNRs is the ratio of distances.
    reach = bank.half / network.half
    rows = [
        (f"{low:.1f} to {high:.1f}", float(ours), float(theirs))
        for low, high, ours, theirs in zip(
            edges, edges[1:], network.by_snr, bank.by_snr, strict=False
        )
    ]
    return Evaluation(
        summary=(
            f"finds {network.efficiency:.1%} ± {error:.1%} of the chirps at one false alarm in "
            f"{seconds:g} s (matched filter: {bank.efficiency:.1%}); half of them from SNR "
            f"{network.half:.1f} on ({bank.half:.1f}), so it sees {reach:.0%} as far"
        ),
        metrics={
            "efficiency": network.efficiency,
            "efficiency_error": error,
            "efficiency_matched_filter": bank.efficiency,
            "snr_half": network.half,
            "snr_half_matched_filter": bank.half,
            "reach": reach,
        },
        tables={
            "efficiency": Table(
                ("SNR", "network", "matched filter"),
                rows,
                f"Share of chirps found at one false alarm in {seconds:g} s",
            )
        },
        judged_by=("efficiency",),
        figures={"efficiency": _figure(searches, edges, seconds)},
        warnings=(
            [f"the threshold rests on {alarms} false alarms"] if alarms < FEW_FALSE_ALARMS else []
        ),
    )


def _figure(searches: dict[str, Search], edges: Column, seconds: float) -> Figure:
    caption = "Share of chirps found, by their optimal signal-to-noise ratio"
    with figures.style():
        figure = figures.new(6, 4, caption)
        _draw(figure, searches, edges, seconds)
        figures.lay_out(figure)
    return figure


def _draw(figure: Figure, searches: dict[str, Search], edges: Column, seconds: float) -> None:
    axes = figure.subplots()
    middles = (edges[1:] + edges[:-1]) / 2
    for (name, search), style in zip(searches.items(), ("o-", "s--"), strict=True):
        axes.plot(middles, search.by_snr, style, label=name)
    axes.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
    axes.set(
        xlabel="Optimal SNR of the chirp",
        ylabel=f"Efficiency at 1 false alarm in {seconds:g} s",
        ylim=(0, 1.02),
    )
    axes.legend()
    figures.label_sample(axes, "Simulation", "chirps in Gaussian noise")
