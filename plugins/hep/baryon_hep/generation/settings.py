"""Check the settings that decide which events are generated and how they are stored."""

import hashlib
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from baryon.errors import BaryonError, did_you_mean
from baryon_hep.generation.slha import SIGNALS

BEAM_ENERGY = 6500.0
"""Energy of a beam in GeV; no hard scattering can have a larger pT-hat."""
HOPELESS = 250.0
"""pT-hat in GeV below which about one event in 20,000 passes the pre-selection."""
EVENTS_PER_PROCESS, PROCESSES, DATA_SETS = 10**9, 100, 92_000_000
"""An event id is data set, process and event in decimal digits; the largest fits into 63 bits."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The keys of `conf/generate/hep_images.yaml` that change the data. Energies in GeV."""

    events: int
    signal_fraction: float
    signal: str
    gluino_mass: float
    neutralino_mass: float
    pt_hat_slices: tuple[float, ...]
    early_veto: bool
    trimmed: bool
    energy_significance: float
    image_sizes: tuple[int, ...]
    eta_max: float | None
    splits: Mapping[str, float]
    seed: int
    part_events: int

    def __post_init__(self) -> None:
        """Raise `BaryonError` naming the first key that makes no sense."""
        _check_counts(self)
        _check_signal(self)
        _check_detector(self)
        _check_slices(self.pt_hat_slices)
        _check_images(self.image_sizes, self.eta_max)
        _check_splits(self.splits)

    def window(self, size: int) -> float:
        """Return the |eta| up to which images of a size reach.

        Unless it is set it is that of the paper's data sets: 2.5 up to 64 pixels, 5 for larger
        images.
        """
        return self.eta_max or (2.5 if size <= 64 else 5.0)

    def record(self) -> dict[str, Any]:
        """Return all settings as JSON reads them back."""
        return dict(json.loads(json.dumps(asdict(self))))

    @property
    def digest(self) -> int:
        """Hash of all settings, 64 bits, from which all random numbers of the data set follow."""
        text = json.dumps(self.record(), sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

    @property
    def data_set(self) -> int:
        """Number of the data set, below `DATA_SETS`: the leading digits of its event ids."""
        return self.digest % DATA_SETS

    def command(self) -> str:
        """Return the command that generates the same data in the folder `hep_images`."""
        values = {key: json.dumps(value).replace('"', "") for key, value in self.record().items()}
        words = [shlex.quote(f"generate.{key}={value}") for key, value in values.items()]
        return " ".join(["baryon data generate dataset=hep_images", *words])


def _refuse(key: str, why: str) -> BaryonError:
    return BaryonError(f"generate.{key}: {why}")


def _check_counts(settings: Settings) -> None:
    if settings.events < 1:
        raise _refuse("events", f"{settings.events} is not a positive number of events")
    if settings.part_events < 1:
        raise _refuse("part_events", f"{settings.part_events} is not a positive number of events")
    if settings.seed < 0:
        raise _refuse("seed", f"{settings.seed} is negative; give a number from 0")
    if settings.events > EVENTS_PER_PROCESS:
        raise _refuse("events", f"{settings.events} is more than {EVENTS_PER_PROCESS:,}")
    if not 0 <= settings.signal_fraction <= 1:
        raise _refuse("signal_fraction", f"{settings.signal_fraction} is not between 0 and 1")


def _check_signal(settings: Settings) -> None:
    if settings.signal not in SIGNALS:
        raise _refuse("signal", f"no {settings.signal!r}; {did_you_mean(SIGNALS, settings.signal)}")
    if not 0 < settings.neutralino_mass < settings.gluino_mass:
        raise _refuse(
            "neutralino_mass",
            f"{settings.neutralino_mass:g} GeV is not between 0 and the gluino_mass of "
            f"{settings.gluino_mass:g} GeV, so the gluino could not decay to it",
        )
    if settings.gluino_mass >= BEAM_ENERGY:
        raise _refuse(
            "gluino_mass",
            f"{settings.gluino_mass:g} GeV: a pair needs more than the 13000 GeV of the collision",
        )


def _check_detector(settings: Settings) -> None:
    significance = settings.energy_significance
    if not 0 <= significance < math.inf:
        raise _refuse(
            "energy_significance",
            f"{significance:g} is no number of standard deviations from 0 (none asked for)",
        )


def _check_slices(edges: Sequence[float]) -> None:
    if len(edges) < 2 or not all(low < high for low, high in pairwise(edges)):
        raise _refuse("pt_hat_slices", f"{list(edges)} is not two or more ascending edges in GeV")
    if len(edges) > PROCESSES - 1:
        raise _refuse("pt_hat_slices", f"{len(edges) - 1} slices are more than {PROCESSES - 2}")
    if not 0 < edges[0] < edges[-1] <= BEAM_ENERGY:
        raise _refuse(
            "pt_hat_slices", f"{list(edges)} leaves the possible range, 0 to {BEAM_ENERGY:g} GeV"
        )
    if edges[1] <= HOPELESS:
        raise _refuse(
            "pt_hat_slices",
            f"hardly an event of {edges[0]:g} to {edges[1]:g} GeV passes the pre-selection; "
            f"let the lowest slice end above {HOPELESS:g}",
        )


def _check_images(sizes: Sequence[int], eta_max: float | None) -> None:
    if not sizes or min(sizes) < 1 or len(set(sizes)) < len(sizes):
        raise _refuse("image_sizes", f"{list(sizes)} is not a list of different sizes in pixels")
    if eta_max is not None and not 0 < eta_max < math.inf:
        raise _refuse("eta_max", f"{eta_max:g} is not a positive number")


def _check_splits(splits: Mapping[str, float]) -> None:
    if "train" not in splits or min(splits.values()) < 0 or splits["train"] == 0:
        raise _refuse("splits", f"{dict(splits)} needs a positive share for train, none below 0")
    if not abs(sum(splits.values()) - 1) <= 1e-9:  # NaN neither
        raise _refuse("splits", f"the shares add up to {sum(splits.values()):g}, not to 1")
