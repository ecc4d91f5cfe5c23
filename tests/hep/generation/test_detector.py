"""The detector: energies kept within the resolution, helices, acceptance."""

import numpy as np
import pytest

from baryon_hep.generation.detector import (
    CALORIMETER_ETA,
    Particles,
    detect,
    em_resolution,
    entry_point,
    had_resolution,
)

NO_SIGNIFICANCE = 0.0
PHOTON, ELECTRON, PION, NEUTRON, KAON_SHORT, MUON, NEUTRINO = 22, 11, 211, 2112, 310, 13, 12


def one_a_event(code, energy, eta, count, charge=0.0, phi=0.3) -> Particles:
    """`count` events of one massless particle each."""
    pt = energy / np.cosh(eta)
    return Particles(
        np.ones(count, np.int64),
        np.full(count, code),
        np.full(count, charge),
        np.full(count, pt * np.cos(phi)),
        np.full(count, pt * np.sin(phi)),
        np.full(count, pt * np.sinh(eta)),
        np.full(count, energy),
    )


@pytest.mark.parametrize(
    ("code", "em", "resolution"), [(PHOTON, 1.0, em_resolution), (NEUTRON, 0.0, had_resolution)]
)
@pytest.mark.parametrize(("eta", "energy"), [(0.5, 100.0), (2.8, 60.0), (4.0, 300.0)])
def test_energy_is_measured_with_the_resolution(code, em, resolution, eta, energy):
    count = 20_000
    towers, _ = detect(
        one_a_event(code, energy, eta, count), np.random.default_rng(1), NO_SIGNIFICANCE
    )
    sigma = resolution(np.array([energy]), np.array([eta]))[0]
    measured = np.zeros(count)
    measured[np.repeat(np.arange(count), towers.counts)] = towers.energy
    assert measured.mean() == pytest.approx(energy, abs=5 * sigma / np.sqrt(count))
    assert measured.std() == pytest.approx(sigma, rel=0.05)
    np.testing.assert_allclose(towers.em_energy, em * towers.energy)


@pytest.mark.parametrize(
    ("eta", "least"), [(0.5, 3.776), (-1.2, 3.776), (2.8, 2.014), (4.0, 4.147), (-4.5, 4.147)]
)
def test_hadronic_towers_need_two_standard_deviations(eta, least):
    """Where an energy is twice its resolution, by hand from the card's formulas."""
    particles = one_a_event(NEUTRON, 3.5, eta, 20_000)
    everything, _ = detect(particles, np.random.default_rng(1), NO_SIGNIFICANCE)
    significant, _ = detect(particles, np.random.default_rng(1), 2.0)
    assert everything.energy.min() < least - 0.3
    assert significant.energy.min() == pytest.approx(least, abs=0.02)
    kept = (everything.energy >= least).sum()
    assert len(significant.energy) == pytest.approx(kept, rel=0.01)


def test_photons_keep_their_own_threshold():
    """0.5 GeV is 7 standard deviations in the barrel, so that nothing more is lost."""
    particles = one_a_event(PHOTON, 0.6, 0.5, 20_000)
    lengths = [
        len(detect(particles, np.random.default_rng(1), significance)[0].energy)
        for significance in (NO_SIGNIFICANCE, 2.0)
    ]
    assert lengths[0] == lengths[1] > 15_000


def test_known_resolutions():
    """10 % / sqrt(E) for photons, about 52 % / sqrt(E) for hadrons at 100 GeV in the barrel."""
    assert em_resolution(np.array([100.0]), np.array([0.0]))[0] == pytest.approx(1.024, abs=0.01)
    assert had_resolution(np.array([100.0]), np.array([0.0]))[0] == pytest.approx(6.22, abs=0.01)


def test_long_lived_strange_hadrons_leave_a_share_in_the_em_calorimeter():
    towers, _ = detect(
        one_a_event(KAON_SHORT, 500.0, 0.1, 5000), np.random.default_rng(2), NO_SIGNIFICANCE
    )
    assert (towers.em_energy / towers.energy).mean() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("code", [MUON, NEUTRINO, -NEUTRINO, 14, 16])
def test_muons_and_neutrinos_leave_nothing(code):
    towers, _ = detect(one_a_event(code, 100.0, 0.0, 10), np.random.default_rng(3), NO_SIGNIFICANCE)
    assert towers.counts.tolist() == [0] * 10


def test_towers_lie_around_the_particle_and_phi_is_in_range():
    random = np.random.default_rng(4)
    for eta, width in ((0.55, 0.1), (-3.33, 0.2)):
        towers, _ = detect(one_a_event(PHOTON, 200.0, eta, 500, phi=3.1), random, NO_SIGNIFICANCE)
        assert (np.abs(towers.eta - eta) < width).all()
        assert (np.abs(towers.phi) <= np.pi).all()
        assert (np.abs((towers.phi - 3.1 + np.pi) % (2 * np.pi) - np.pi) < 2 * width).all()


def test_nothing_is_seen_beyond_the_calorimeter():
    towers, tracks = detect(
        one_a_event(PION, 5000.0, CALORIMETER_ETA + 0.3, 50, charge=1.0),
        np.random.default_rng(5),
        NO_SIGNIFICANCE,
    )
    assert towers.counts.sum() == tracks.counts.sum() == 0


@pytest.mark.parametrize(
    ("pt", "eta", "efficiency"),
    [(10, 0.5, 0.95), (10, 2.0, 0.85), (0.7, 0.5, 0.7), (0.4, 0.5, 0.0), (10, 2.6, 0.0)],
)
def test_track_efficiency(pt, eta, efficiency):
    count = 20_000
    particles = one_a_event(PION, pt * np.cosh(eta), eta, count, charge=-1.0)
    _, tracks = detect(particles, np.random.default_rng(6), NO_SIGNIFICANCE)
    assert tracks.counts.mean() == pytest.approx(efficiency, abs=0.015)
    assert (
        len(detect(one_a_event(PHOTON, 50, 0, 9), np.random.default_rng(7), NO_SIGNIFICANCE)[1].eta)
        == 0
    )


def test_field_bends_positive_particles_clockwise_by_the_helix_angle():
    pt, angle = 5.0, np.arcsin(0.2998 * 2.0 * 1.15 / (2 * 5.0))
    for charge in (1.0, -1.0):
        _, phi = entry_point(one_a_event(PION, pt, 0.0, 1, charge=charge))
        assert phi[0] == pytest.approx(0.3 - charge * angle)


def test_neutral_particles_go_straight():
    eta, phi = entry_point(one_a_event(PHOTON, 20.0, 1.7, 3))
    np.testing.assert_allclose(eta, 1.7, rtol=1e-6)
    np.testing.assert_allclose(phi, 0.3, rtol=1e-6)


def test_slow_particles_curl_up_and_leave_through_the_end_cap():
    """Below 0.345 GeV the helix does not reach the barrel, 1.15 m from the axis."""
    eta, _ = entry_point(one_a_event(PION, 0.3 * np.cosh(0.2), 0.2, 1, charge=1.0))
    assert np.sinh(eta[0]) > 3.51 / 1.15


def test_helix_agrees_with_small_steps():
    """Against the equation of motion integrated numerically."""
    pt, pz, charge = 0.9, 0.6, 1.0
    energy = np.hypot(pt, pz)
    particle = Particles(
        np.array([1]), np.array([PION]), *(np.array([x]) for x in (charge, pt, 0.0, pz, energy))
    )
    position, direction, step = np.zeros(3), np.array([pt, 0.0, pz]) / energy, 1e-4
    while np.hypot(*position[:2]) < 1.15 and abs(position[2]) < 3.51:
        position = position + step * direction
        turn = -charge * 0.2998 * 2.0 / energy * step
        direction[:2] = np.array(
            [
                direction[0] * np.cos(turn) - direction[1] * np.sin(turn),
                direction[0] * np.sin(turn) + direction[1] * np.cos(turn),
            ]
        )
    eta, phi = entry_point(particle)
    assert phi[0] == pytest.approx(np.arctan2(position[1], position[0]), abs=1e-3)
    assert eta[0] == pytest.approx(np.arcsinh(position[2] / np.hypot(*position[:2])), abs=1e-3)


def test_whole_events_keep_their_energy():
    random = np.random.default_rng(8)
    count, each = 50, 400
    eta, phi = random.uniform(-2, 2, count * each), random.uniform(-np.pi, np.pi, count * each)
    pt = 5 + random.exponential(10, count * each)
    code = random.choice([PHOTON, NEUTRON], count * each)
    energy = pt * np.cosh(eta)
    particles = Particles(
        np.full(count, each),
        code,
        np.zeros(count * each),
        pt * np.cos(phi),
        pt * np.sin(phi),
        pt * np.sinh(eta),
        energy,
    )
    towers, _ = detect(particles, random, NO_SIGNIFICANCE)
    event = particles.event()
    variance = np.where(
        code == PHOTON,
        em_resolution(energy, np.abs(eta)) ** 2,
        had_resolution(energy, np.abs(eta)) ** 2,
    )
    measured = np.bincount(np.repeat(np.arange(count), towers.counts), towers.energy)
    pull = (measured - np.bincount(event, energy)) / np.sqrt(np.bincount(event, variance))
    assert abs(pull.mean()) < 5 / np.sqrt(count)
    assert pull.std() < 1.5
