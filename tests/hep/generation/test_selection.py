"""The cuts against the requirements of the analysis, jet by jet."""

import numpy as np
import pytest

from baryon_hep.generation.selection import (
    Jets,
    in_signal_region,
    jet_mass_sum,
    passes_preselection,
)


def event(*jets, width=6) -> Jets:
    """One event from (pt, eta, mass) of each jet."""
    columns = np.zeros((3, 1, width))
    columns[:, 0, : len(jets)] = np.array(jets, float).T.reshape(3, -1)
    return Jets(np.array([len(jets)]), *columns)


@pytest.mark.parametrize(
    ("leading", "jets", "expected"),
    [(440, 3, True), (439.9, 3, False), (2000, 2, False), (440, 5, True)],
)
def test_preselection_needs_three_jets_and_a_leading_one_on_the_plateau(leading, jets, expected):
    others = [(250, 0, 10)] * (jets - 1)
    assert passes_preselection(event((leading, 0, 10), *others)).tolist() == [expected]


def test_mass_sum_takes_the_four_leading_jets_only():
    assert jet_mass_sum(event(*[(500, 0, 100)] * 4, (210, 0, 900))).tolist() == [400]


@pytest.mark.parametrize(
    ("jets", "mass", "delta_eta", "expected"),
    [
        (4, 801, 0.0, True),
        (4, 800, 0.0, False),
        (3, 2000, 0.0, False),
        (5, 601, 0.0, True),
        (5, 600, 0.0, False),
        (5, 2000, 1.4, False),
        (5, 2000, 1.39, True),
    ],
)
def test_signal_regions(jets, mass, delta_eta, expected):
    shares = [mass / 4] * 4 + [0] * (jets - 4)
    etas = [delta_eta] + [0] * (jets - 1)
    events = event(*[(500, eta, share) for eta, share in zip(etas, shares, strict=False)])
    assert in_signal_region(events).tolist() == [expected]


def test_empty_event_fails_everything():
    nothing = event()
    assert not passes_preselection(nothing)[0]
    assert not in_signal_region(nothing)[0]
