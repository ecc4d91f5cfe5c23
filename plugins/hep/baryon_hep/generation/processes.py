"""Set up Pythia for the signal and for each slice of the QCD background.

13 TeV proton-proton collisions with the A14 tune and multi-parton interactions. QCD 2 -> 2
scattering falls so steeply with transverse momentum that it is generated in slices of pT-hat, the
transverse momentum of the hard scattering. Within a slice events are unbiased: every event of a
process has the same weight. Slices are narrow where the cuts act; the lowest is wide, for its
events weigh most, cost most, and do not reach the signal region.
"""

from dataclasses import dataclass
from itertools import pairwise

from baryon_hep.generation.settings import Settings
from baryon_hep.generation.slha import spectrum

COLLISION_ENERGY = 13000.0
"""Energy of a collision in GeV."""
COMMON = (
    "Print:quiet = on",
    f"Beams:eCM = {COLLISION_ENERGY}",
    "Check:event = off",  # `events.conserves_momentum` is faster
    "Tune:pp = 21",
    # As usual at the LHC, what flies more than 1 cm is left for the detector: K0_S, Lambda, ...
    "ParticleDecays:limitTau0 = on",
    "ParticleDecays:tau0Max = 10.",
)
SIGNAL = ("SUSY:gg2gluinogluino = on", "SUSY:qqbar2gluinogluino = on", "SLHA:verbose = 0")
NO_SLICE = -1
"""The `jz` of signal events."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its place in the data set, and how Pythia is set up for it."""

    name: str
    number: int
    """0 for the signal, slice number + 1 for QCD."""
    label: int
    """1 for the signal, 0 for QCD."""
    slice_number: int
    """Position in `pt_hat_slices`, from 0; `NO_SLICE` for the signal."""
    events: int
    """Number of passing events to generate."""
    masses: tuple[float, float]
    """Masses of gluino and neutralino in GeV; zeros for QCD."""
    commands: tuple[str, ...]
    slha: str
    """Contents of the SLHA file, empty for QCD."""
    early_veto: bool


def processes(settings: Settings) -> list[Process]:
    """Return the signal, then the slices; QCD events are shared equally among the slices."""
    signal_events = round(settings.events * settings.signal_fraction)
    slices = list(pairwise(settings.pt_hat_slices))
    shares = _equal_shares(settings.events - signal_events, len(slices))
    qcd = [
        _slice(number, low, high, events, settings.early_veto)
        for number, ((low, high), events) in enumerate(zip(slices, shares, strict=True))
    ]
    return [process for process in (_signal(settings, signal_events), *qcd) if process.events]


def _signal(settings: Settings, events: int) -> Process:
    masses = (settings.gluino_mass, settings.neutralino_mass)
    return Process(
        name=settings.signal,
        number=0,
        label=1,
        slice_number=NO_SLICE,
        events=events,
        masses=masses,
        commands=COMMON + SIGNAL,
        slha=spectrum(settings.signal, *masses),
        early_veto=False,
    )


def _slice(number: int, low: float, high: float, events: int, early_veto: bool) -> Process:
    edges = (f"PhaseSpace:pTHatMin = {low}", f"PhaseSpace:pTHatMax = {high}")
    return Process(
        name=f"qcd_{low:g}_{high:g}",
        number=number + 1,
        label=0,
        slice_number=number,
        events=events,
        masses=(0.0, 0.0),
        commands=(*COMMON, "HardQCD:all = on", *edges),
        slha="",
        early_veto=early_veto,
    )


def _equal_shares(total: int, count: int) -> list[int]:
    return [total // count + (number < total % count) for number in range(count)]
