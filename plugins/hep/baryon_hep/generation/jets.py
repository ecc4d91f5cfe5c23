"""Cluster large-R jets: anti-kt with R = 1.0 on calorimeter towers, trimmed if asked for.

Trimming drops the kt subjets of R = 0.2 that carry less than 5 % of the jet's pT.
Sources: FastJet, 1111.6097; anti-kt, 0802.1189; trimming, 0912.1342.
"""

from typing import Any

import numpy as np

from baryon_hep.generation.detector import Towers
from baryon_hep.generation.selection import JET_ETA, JET_PT, Jets

RADIUS = 1.0
SUBJET_RADIUS, SUBJET_FRACTION = 0.2, 0.05


def large_radius_jets(towers: Towers, trimmed: bool) -> Jets:
    """Return the jets with pT > 200 GeV and |eta| < 2 of each event; towers count as massless."""
    import awkward as ak
    import fastjet

    clusters = _four_vectors(towers)
    sequence = fastjet.ClusterSequence(
        clusters, fastjet.JetDefinition(fastjet.antikt_algorithm, RADIUS)
    )
    if trimmed:
        jets = _trim(sequence.constituents(min_pt=JET_PT))
    else:
        jets = sequence.inclusive_jets(min_pt=JET_PT)
    jets = jets[(jets.pt > JET_PT) & (abs(jets.eta) < JET_ETA)]
    return _padded(jets[ak.argsort(jets.pt, axis=1, ascending=False)])


def _four_vectors(towers: Towers) -> Any:
    """Return massless four-vectors, [event][tower]."""
    import awkward as ak
    import vector

    vector.register_awkward()
    transverse = towers.energy / np.cosh(towers.eta)
    columns = {
        "px": transverse * np.cos(towers.phi),
        "py": transverse * np.sin(towers.phi),
        "pz": transverse * np.sinh(towers.eta),
        "E": towers.energy,
    }
    return ak.unflatten(ak.zip(columns, with_name="Momentum4D"), towers.counts)


def _trim(constituents: Any) -> Any:
    """Return trimmed jets, [event][jet], of constituents [event][jet][tower]."""
    import awkward as ak
    import fastjet

    per_jet = ak.flatten(constituents, axis=1)
    subjets = fastjet.ClusterSequence(
        per_jet, fastjet.JetDefinition(fastjet.kt_algorithm, SUBJET_RADIUS)
    ).inclusive_jets()
    whole = _total(per_jet)
    trimmed = _total(subjets[subjets.pt >= SUBJET_FRACTION * whole.pt])
    return ak.unflatten(trimmed, ak.num(constituents, axis=1))


def _total(vectors: Any) -> Any:
    import awkward as ak

    sums = {name: ak.sum(getattr(vectors, name), axis=1) for name in ("px", "py", "pz", "E")}
    return ak.zip(sums, with_name="Momentum4D")


def _padded(jets: Any) -> Jets:
    """Return jets [event][jet] as arrays, of at least two columns: cuts compare the first two."""
    import awkward as ak

    count = ak.to_numpy(ak.num(jets, axis=1)).astype(np.int64)
    width = max(2, int(count.max(initial=0)))
    columns = [
        ak.to_numpy(ak.fill_none(ak.pad_none(column, width, clip=True), 0.0))
        for column in (jets.pt, jets.eta, jets.mass)
    ]
    return Jets(count, *columns)
