"""The classes of extreme weather, by their number in the files (reported: ExtremeWeather)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StormClass:
    """A kind of event that boxes are drawn around."""

    short: str
    name: str


CLASSES = (
    StormClass("TD", "tropical depression"),
    StormClass("TC", "tropical cyclone"),
    StormClass("ETC", "extratropical cyclone"),
    StormClass("AR", "atmospheric river"),
)
TD, TC, ETC, AR = range(4)
SHORT = tuple(storm_class.short for storm_class in CLASSES)
