"""Select events: which are kept, and which of them the cut-based analysis calls signal.

The multijet search that the networks are compared with (paper, section 1.3 of its benchmark;
ATLAS, 1804.03568): large-R jets with pT > 200 GeV and |eta| < 2.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

JET_PT, JET_ETA = 200.0, 2.0
LEADING_PT = 440.0
"""Transverse momentum in GeV from which the single-jet trigger is fully efficient."""
DELTA_ETA = 1.4
SIGNAL_REGIONS = ((4, 800.0), (5, 600.0))
"""Least number of jets, and the sum of jet masses in GeV to exceed; either region counts."""


@dataclass(frozen=True, slots=True)
class Jets:
    """The large-R jets of N events, sorted by falling pT, padded with zeros to K of each event."""

    count: npt.NDArray[np.int64]
    """(N,) number of jets."""
    pt: Floats
    """(N, K) in GeV."""
    eta: Floats
    """(N, K)"""
    mass: Floats
    """(N, K) in GeV."""


def passes_preselection(jets: Jets) -> Flags:
    """Return which events (N,) have three jets or more, the leading one with pT >= 440 GeV."""
    return (jets.count >= 3) & (jets.pt[:, 0] >= LEADING_PT)


def jet_mass_sum(jets: Jets) -> Floats:
    """Return M_J (N,), the sum of the masses of the up to four leading jets, in GeV."""
    return np.asarray(jets.mass[:, :4].sum(axis=1))


def in_signal_region(jets: Jets) -> Flags:
    """Return which events (N,) the cuts call signal: those of the four- or five-jet region."""
    mass = jet_mass_sum(jets)
    region = [(jets.count >= least) & (mass > threshold) for least, threshold in SIGNAL_REGIONS]
    central = np.abs(jets.eta[:, 0] - jets.eta[:, 1]) < DELTA_ETA
    return np.asarray(central & np.logical_or.reduce(region))
