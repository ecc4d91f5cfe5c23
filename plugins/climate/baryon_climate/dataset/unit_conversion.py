"""From a file's unit to a channel's, by UDUNITS-2 (the library behind the CF conventions)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from baryon.errors import BaryonError

ALIASES: Mapping[str, str] = {
    "mb": "mbar",  # to UDUNITS a millibarn
    "mbs": "mbar",
    "PA": "Pa",  # to UDUNITS a petaampere
    "C": "degC",  # to UDUNITS a coulomb
    "deg C": "degC",
    "degrees C": "degC",
    "deg K": "K",
    "degrees K": "K",
    "gpm": "m",
    "gpdam": "dam",
    "m of water": "m",
    "m of water equivalent": "m",
}
"""What files have, which UDUNITS does not read, or reads as something that fits no channel."""


@lru_cache(maxsize=1024)
def conversion(unit: str, to: str, times: str = "1") -> tuple[float, float] | None:
    """Return factor and offset from `unit` (multiplied by the quantity `times`) to `to`.

    None if they measure different things, or UDUNITS knows no such unit.
    """
    if unit == to and times == "1":
        return 1.0, 0.0
    try:
        import cf_units
    except ImportError as error:
        raise BaryonError(
            "units are converted by cf-units: pip install 'baryon[climate]'"
        ) from error
    # as it is written first: an alias is for what UDUNITS reads as something else or not at all
    for spelling in (unit, ALIASES.get(unit.strip(), unit.strip())):
        if not spelling.strip():
            return None
        try:
            given = (
                cf_units.Unit(spelling) * cf_units.Unit(times)
                if times != "1"
                else (cf_units.Unit(spelling))
            )
            offset = float(given.convert(0.0, to))
            return float(given.convert(1.0, to)) - offset, offset
        except ValueError:
            continue
    return None
