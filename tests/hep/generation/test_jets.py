"""Large-R jets against the definition of anti-kt, step by step."""

import numpy as np
import pytest

from baryon_hep.generation.detector import Towers
from baryon_hep.generation.selection import JET_ETA, JET_PT

pytest.importorskip("fastjet")
pytest.importorskip("awkward")
from baryon_hep.generation.jets import large_radius_jets

RADIUS = 1.0


def towers_of(events) -> Towers:
    """From (eta, phi, pt) of each tower of each event."""
    eta, phi, pt = np.concatenate(events).T
    counts = np.array([len(event) for event in events])
    return Towers(counts, eta, phi, pt * np.cosh(eta), np.zeros(len(eta)))


def some_event(random) -> np.ndarray:
    """Three sprays of towers on a soft background."""
    sprays = [
        np.stack(
            [
                random.normal(random.uniform(-1.5, 1.5), 0.3, 15),
                random.normal(random.uniform(-3, 3), 0.3, 15),
                random.exponential(30, 15),
            ],
            axis=1,
        )
        for _ in range(3)
    ]
    soft = np.stack([random.uniform(-4, 4, 20), random.uniform(-3, 3, 20), np.full(20, 1.0)], 1)
    return np.concatenate([*sprays, soft])


def four_vectors(event) -> list[np.ndarray]:
    eta, phi, pt = event.T
    return list(
        np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], 1)
    )


def kinematics(p):
    pt = np.hypot(p[0], p[1])
    return pt, np.arctanh(p[2] / p[3]), np.arctan2(p[1], p[0])


def clustered(vectors, power, radius) -> list[np.ndarray]:
    """Sequential recombination with d_ij = min(pt^2p) dR^2 / R^2, by trying all pairs."""
    vectors, jets = list(vectors), []
    while vectors:
        pt, y, phi = np.array([kinematics(p) for p in vectors]).T
        beam = pt ** (2 * power)
        delta = np.abs(phi[:, None] - phi)
        delta = np.minimum(delta, 2 * np.pi - delta)
        distance = np.minimum(beam[:, None], beam) * ((y[:, None] - y) ** 2 + delta**2) / radius**2
        np.fill_diagonal(distance, beam)
        i, j = divmod(int(distance.argmin()), len(vectors))
        if i == j:
            jets.append(vectors.pop(i))
        else:
            second, first = vectors.pop(max(i, j)), vectors.pop(min(i, j))
            vectors.append(first + second)
    return jets


def selected(jets) -> np.ndarray:
    """(K, 3) pt, eta and mass of the jets that count, falling in pt."""
    rows = []
    for p in jets:
        pt, eta = np.hypot(p[0], p[1]), np.arcsinh(p[2] / np.hypot(p[0], p[1]))
        if pt > JET_PT and abs(eta) < JET_ETA:
            rows.append((pt, eta, np.sqrt(max(p[3] ** 2 - (p[:3] ** 2).sum(), 0))))
    return np.array(sorted(rows, reverse=True)).reshape(-1, 3)


def test_jets_are_those_of_the_definition():
    random = np.random.default_rng(1)
    events = [some_event(random) for _ in range(12)]
    jets = large_radius_jets(towers_of(events), trimmed=False)
    assert jets.count.sum() > 15
    for number, event in enumerate(events):
        expected = selected(clustered(four_vectors(event), -1, RADIUS))
        count = jets.count[number]
        assert count == len(expected)
        found = np.stack([jets.pt, jets.eta, jets.mass], 2)[number]
        np.testing.assert_allclose(found[:count], expected, rtol=1e-6)
        assert not found[count:].any()


def test_trimming_drops_soft_subjets():
    """Two hard towers 0.6 apart and soft ones around them: only the hard ones stay."""
    hard = [(0.0, 0.0, 300.0), (0.6, 0.0, 200.0)]
    soft = [(0.3, 0.5, 5.0), (0.3, -0.5, 8.0), (-0.5, 0.0, 20.0)]
    events = [np.array([*hard, *soft]), np.array(hard)]
    jets = large_radius_jets(towers_of(events), trimmed=True)
    np.testing.assert_allclose(jets.pt[0], jets.pt[1], rtol=1e-9)
    np.testing.assert_allclose(jets.mass[0], jets.mass[1], rtol=1e-9)
    untrimmed = large_radius_jets(towers_of(events), trimmed=False)
    assert untrimmed.mass[0, 0] > 1.05 * jets.mass[0, 0]


def test_an_event_without_jets_stays_in_place():
    events = [np.array([(0.0, 0.0, 10.0)]), np.array([(0.0, 0.0, 500.0)]), np.zeros((0, 3))]
    jets = large_radius_jets(towers_of(events), trimmed=False)
    assert jets.count.tolist() == [0, 1, 0]
    assert jets.pt[:, 0] == pytest.approx([0, 500, 0])


def test_trimming_copes_with_events_without_jets():
    events = [np.array([(0.0, 0.0, 10.0)]), np.array([(0.0, 0.0, 500.0)])]
    assert large_radius_jets(towers_of(events), trimmed=True).count.tolist() == [0, 1]
    assert large_radius_jets(towers_of(events[:1]), trimmed=True).count.tolist() == [0]
