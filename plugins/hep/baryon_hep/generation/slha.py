"""Write spectrum and decays of the signal in the format of the SUSY Les Houches Accord.

Gluino pair production with R-parity-violating decays through the baryon-number-violating
coupling (UDD): either `rpv10`, gluino -> q qbar neutralino followed by neutralino -> q q q (ten
quarks an event), or `rpv6`, gluino -> q q q (six). All other superpartners are out of reach.

Format: P. Skands et al., hep-ph/0311123; R-parity violation: B. Allanach et al., 0801.0045.
"""

from itertools import combinations

GLUINO, NEUTRALINO = 1000021, 1000022
LIGHT_QUARKS = (1, 2, 3, 4)
UP_TYPE, DOWN_TYPE = (2, 4, 6), (1, 3, 5)
DECOUPLED = (
    *(1000000 + flavour for flavour in (*range(1, 7), *range(11, 17))),
    *(2000000 + flavour for flavour in (*range(1, 7), 11, 13, 15)),
    *(1000023, 1000024, 1000025, 1000035, 1000037),
)
"""PDG codes of squarks, sleptons and the other neutralinos and charginos."""
DECOUPLED_MASS = 5000.0
"""Mass in GeV of superpartners that are out of reach."""
SIGNALS = ("rpv10", "rpv6")


def spectrum(signal: str, gluino_mass: float, neutralino_mass: float) -> str:
    """Return the SLHA file of a signal point; masses in GeV, total widths 1 GeV (prompt decays)."""
    masses = {GLUINO: gluino_mass, NEUTRALINO: neutralino_mass}
    masses |= dict.fromkeys(DECOUPLED, DECOUPLED_MASS)
    violating = _baryon_number_violating()
    gluino = _cascade() if signal == "rpv10" else violating
    blocks = [
        # Announcing R-parity violation here (4 1) would call for its mixing blocks, which nothing
        # in these events depends on: the decays below are all of it.
        "BLOCK MODSEL\n 1 0",
        "BLOCK MASS\n" + "\n".join(f" {code} {mass:.6e}" for code, mass in masses.items()),
        *_unit_mixings(),
        _decay_table(GLUINO, gluino),
        _decay_table(NEUTRALINO, violating),
    ]
    return "\n".join(blocks) + "\n"


def _cascade() -> list[tuple[int, ...]]:
    return [(NEUTRALINO, quark, -quark) for quark in LIGHT_QUARKS]


def _baryon_number_violating() -> list[tuple[int, ...]]:
    """Return the nine flavour combinations u d d' of the UDD coupling, and their conjugates."""
    triples = [(up, *downs) for up in UP_TYPE for downs in combinations(DOWN_TYPE, 2)]
    return [*triples, *(tuple(-flavour for flavour in triple) for triple in triples)]


def _decay_table(code: int, channels: list[tuple[int, ...]]) -> str:
    rows = [
        f" {1 / len(channels):.8e} {len(channel)} "
        + " ".join(str(daughter) for daughter in channel)
        for channel in channels
    ]
    return "\n".join([f"DECAY {code} 1.0", *rows])


def _unit_mixings() -> list[str]:
    sizes = {"NMIX": 4, "UMIX": 2, "VMIX": 2, "STOPMIX": 2, "SBOTMIX": 2, "STAUMIX": 2}
    return [
        f"BLOCK {name}\n" + "\n".join(f" {i} {i} 1.0" for i in range(1, size + 1))
        for name, size in sizes.items()
    ]
