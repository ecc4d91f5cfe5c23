"""Simulate a detector with the acceptance, granularity and resolution of ATLAS.

Charged particles bend in a 2 T solenoid; electrons and photons leave their energy in the
electromagnetic (EM) calorimeter, hadrons in the hadronic one, long-lived strange hadrons 30 % to
70 %, muons and neutrinos none. Energies are summed in towers and smeared, tracks are found with an
efficiency. Everything is vectorised over the particles of many events.

Simplified: no pile-up, no noise, no spread of showers over towers, no material, all particles come
from the origin, hadrons never shower early in the EM calorimeter, tracks have no momentum error
and there are no fake ones, electrons and muons are tracked like hadrons, muons add nothing to jets.

Sources: the ATLAS parametrisation published with Delphes 3, 1307.6346, as the card
`cards/delphes_card_ATLAS.tcl` of its release has it (resolutions, thresholds, efficiencies,
solenoid, energy fractions); the ATLAS detector, JINST 3 (2008) S08003 (granularity: the card's EM
cells are finer than these towers, its hadronic ones wider in phi).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Resolution: TypeAlias = Callable[[Floats, Floats], Floats]
"""Standard deviation in GeV of energies in GeV at |eta|."""

SOLENOID_FIELD, SOLENOID_RADIUS, SOLENOID_HALF_LENGTH = 2.0, 1.15, 3.51
"""Field in tesla, radius and half of the length in metres."""
CURVATURE = 0.2998
"""Transverse momentum over field and radius of a unit charge, GeV / (T m)."""

CALORIMETER_ETA, CENTRAL_ETA = 4.9, 2.5
CENTRAL_ROWS = np.linspace(-CENTRAL_ETA, CENTRAL_ETA, 51)
FORWARD_ROWS = np.linspace(CENTRAL_ETA, CALORIMETER_ETA, 13)
ETA_EDGES = np.concatenate([-FORWARD_ROWS[:0:-1], CENTRAL_ROWS, FORWARD_ROWS[1:]])
"""Towers are 0.1 wide in eta up to 2.5, 0.2 beyond."""
CENTRAL_COLUMNS, FORWARD_COLUMNS = 64, 32
"""Number of towers around in phi."""
TOWERS = (len(ETA_EDGES) - 1) * CENTRAL_COLUMNS
"""Numbers of towers run from 0 to below this; forward rows use only half of theirs."""

ELECTROMAGNETIC = (11, 22)
INVISIBLE = (12, 13, 14, 16, 1000022)
MIXED, MIXED_EM_FRACTION = (310, 3122), 0.3
"""Codes of K0_S and Lambda, and the share of their energy that is electromagnetic."""

EM_THRESHOLD, HAD_THRESHOLD = 0.5, 1.0
"""Least energies in GeV of a tower after smearing (the card's `EnergyMin`)."""
TRACK_ETA, TRACK_PT = 2.5, 0.5
"""Largest |eta| and least transverse momentum in GeV of tracks."""


@dataclass(frozen=True, slots=True)
class Particles:
    """The M stable particles of N events, one event after the other; momenta in GeV."""

    counts: Integers
    """(N,) particles of each event."""
    code: Integers
    """(M,) PDG particle code."""
    charge: Floats
    """(M,) in units of the proton's."""
    px: Floats
    py: Floats
    pz: Floats
    energy: Floats

    def event(self) -> Integers:
        """Return the event (M,) of each particle."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def where(self, events: npt.NDArray[np.bool_]) -> "Particles":
        """Return the particles of the events (N,) that are true."""
        selected = np.repeat(events, self.counts)
        columns = {
            name: getattr(self, name)[selected]
            for name in ("code", "charge", "px", "py", "pz", "energy")
        }
        return Particles(counts=self.counts[events], **columns)


@dataclass(frozen=True, slots=True)
class Towers:
    """The M calorimeter towers with energy of N events, one event after the other."""

    counts: Integers
    """(N,) towers of each event."""
    eta: Floats
    phi: Floats
    """(M,) a random point of the tower, phi in [-pi, pi]."""
    energy: Floats
    """(M,) GeV."""
    em_energy: Floats
    """(M,) GeV in the EM calorimeter."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """The M tracks that were found in N events, one event after the other."""

    counts: Integers
    """(N,) tracks of each event."""
    eta: Floats
    phi: Floats
    """(M,) direction at the origin, phi in [-pi, pi]."""


def detect(
    particles: Particles, random: np.random.Generator, energy_significance: float
) -> tuple[Towers, Tracks]:
    """Return what the calorimeter and the tracker record of events.

    Parameters
    ----------
    particles
        Stable particles of the events.
    random
        Source of all random numbers.
    energy_significance
        Energies of a tower below this number of standard deviations are lost, in the EM and in the
        hadronic calorimeter alike (the card's `EnergySignificanceMin`, 2).

    """
    return _calorimeter(particles, random, energy_significance), _tracker(particles, random)


def _calorimeter(
    particles: Particles, random: np.random.Generator, energy_significance: float
) -> Towers:
    em_fraction, visible = _response(particles.code)
    eta, phi = entry_point(particles)
    absorbed = visible & (np.abs(eta) < CALORIMETER_ETA)
    # One number for a tower of an event, so that all events are summed at once.
    cell = particles.event()[absorbed] * TOWERS + _tower(eta[absorbed], phi[absorbed])
    cells, cell_of_particle = np.unique(cell, return_inverse=True)
    energy = particles.energy[absorbed]
    em_energy = energy * em_fraction[absorbed]
    em = _sums(em_energy, cell_of_particle, len(cells))
    had = _sums(energy - em_energy, cell_of_particle, len(cells))
    event, tower = np.divmod(cells, TOWERS)
    # Centres, which lie on a grid, would beat with the pixels of the images.
    eta, phi = _random_point(tower, random)
    em = _measured(em, em_resolution, np.abs(eta), EM_THRESHOLD, energy_significance, random)
    had = _measured(had, had_resolution, np.abs(eta), HAD_THRESHOLD, energy_significance, random)
    above = em + had > 0
    counts = np.bincount(event[above], minlength=len(particles.counts))
    return Towers(counts, eta[above], phi[above], (em + had)[above], em[above])


def _sums(values: Floats, groups: Integers, count: int) -> Floats:
    """Sum the values of each of `count` groups."""
    return np.bincount(groups, values, count).astype(np.float64, copy=False)


def _measured(
    energy: Floats,
    resolution: Resolution,
    eta: Floats,
    threshold: float,
    significance: float,
    random: np.random.Generator,
) -> Floats:
    """Smear energies in GeV as one calorimeter does; those that do not stand out become 0."""
    smeared = _smeared(energy, resolution(energy, eta), random)
    # As in Delphes the resolution here is that of the smeared energy, not of the true one.
    stands_out = (smeared >= threshold) & (smeared >= significance * resolution(smeared, eta))
    return np.where(stands_out, smeared, 0.0)


def _tracker(particles: Particles, random: np.random.Generator) -> Tracks:
    pt = np.hypot(particles.px, particles.py)
    eta = np.arcsinh(particles.pz / pt)
    central = np.abs(eta) < TRACK_ETA
    efficiency = np.where(np.abs(eta) < 1.5, 0.95, 0.85) - np.where(pt < 1.0, 0.25, 0.0)
    candidate = (particles.charge != 0) & central & (pt > TRACK_PT)
    tracked = candidate & (random.random(len(pt)) < efficiency)
    counts = np.bincount(particles.event()[tracked], minlength=len(particles.counts))
    return Tracks(counts, eta[tracked], np.arctan2(particles.py, particles.px)[tracked])


def _response(code: Integers) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the share of a particle's energy that is EM, and whether it leaves any energy."""
    kind = np.abs(code)
    mixed = np.where(np.isin(kind, MIXED), MIXED_EM_FRACTION, 0.0)
    return np.where(np.isin(kind, ELECTROMAGNETIC), 1.0, mixed), ~np.isin(kind, INVISIBLE)


def entry_point(particles: Particles) -> tuple[Floats, Floats]:
    """Return eta and phi (M,) where each particle, on its helix, leaves the solenoid's volume.

    A helix of radius r has turned by an angle t when it is at distance 2 r sin(t / 2) from the
    axis, seen at half that angle from where it started. It leaves through the barrel or, when that
    comes first or the helix is too narrow to reach it, through an end cap.
    """
    pt = np.hypot(particles.px, particles.py)
    phi = np.arctan2(particles.py, particles.px)
    # A neutral particle goes straight: a radius so large that no bend can be seen.
    bend = np.where(particles.charge == 0, 1e-9, np.abs(particles.charge))
    radius = pt / (CURVATURE * SOLENOID_FIELD * bend)
    reach = SOLENOID_RADIUS / (2 * radius)
    to_barrel = np.where(reach < 1, 2 * np.arcsin(np.minimum(reach, 1.0)), np.inf)
    advance = radius * particles.pz / pt
    with np.errstate(divide="ignore"):
        to_end_cap = SOLENOID_HALF_LENGTH / np.abs(advance)
    turn = np.minimum(to_barrel, to_end_cap)
    distance = 2 * radius * np.abs(np.sin(turn / 2))
    eta = np.arcsinh(advance * turn / np.maximum(distance, 1e-6))
    return eta, _wrapped(phi - np.sign(particles.charge) * turn / 2)


def _wrapped(phi: Floats) -> Floats:
    return (phi + np.pi) % (2 * np.pi) - np.pi


def _tower(eta: Floats, phi: Floats) -> Integers:
    row = np.searchsorted(ETA_EDGES, eta, side="right") - 1
    columns = np.where(np.abs(eta) < CENTRAL_ETA, CENTRAL_COLUMNS, FORWARD_COLUMNS)
    column = np.minimum(((phi + np.pi) / (2 * np.pi) * columns).astype(np.int64), columns - 1)
    return np.asarray(row * CENTRAL_COLUMNS + column)


def _random_point(tower: Integers, random: np.random.Generator) -> tuple[Floats, Floats]:
    row, column = np.divmod(tower, CENTRAL_COLUMNS)
    low, high = ETA_EDGES[row], ETA_EDGES[row + 1]
    columns = np.where(np.abs(low + high) / 2 < CENTRAL_ETA, CENTRAL_COLUMNS, FORWARD_COLUMNS)
    eta = low + (high - low) * random.random(len(tower))
    phi = (column + random.random(len(tower))) / columns * 2 * np.pi - np.pi
    return eta, phi


def em_resolution(energy: Floats, eta: Floats) -> Floats:
    """Return the standard deviation in GeV of EM energies in GeV at |eta| (the card's)."""
    return np.where(
        eta < 3.2,
        np.sqrt((0.0017 * energy) ** 2 + 0.101**2 * energy),
        np.sqrt((0.035 * energy) ** 2 + 0.285**2 * energy),
    )


def had_resolution(energy: Floats, eta: Floats) -> Floats:
    """Return the standard deviation in GeV of hadronic energies in GeV at |eta| (the card's)."""
    barrel = np.sqrt((0.0302 * energy) ** 2 + 0.5205**2 * energy + 1.59**2)
    end_cap = np.sqrt((0.05 * energy) ** 2 + 0.706**2 * energy)
    forward = np.sqrt((0.0942 * energy) ** 2 + 1.0**2 * energy)
    return np.select([eta < 1.7, eta < 3.2], [barrel, end_cap], forward)


def _smeared(energy: Floats, resolution: Floats, random: np.random.Generator) -> Floats:
    """Draw from the log-normal distribution with this mean and standard deviation."""
    relative = np.divide(resolution, energy, out=np.zeros_like(energy), where=energy > 0)
    width = np.sqrt(np.log1p(relative**2))
    return np.asarray(energy * np.exp(width * random.standard_normal(len(energy)) - width**2 / 2))
