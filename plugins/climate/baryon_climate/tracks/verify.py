"""Score a file of tracks against best tracks: `python -m baryon_climate.tracks.verify`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from baryon.errors import BaryonError, did_you_mean
from baryon.system.atomic import atomic_write
from baryon.system.process_exit import end_with_one_line
from baryon.terminal.console import say, show
from baryon.terminal.tables import fitted
from baryon_climate.classes import SHORT, TC, TD
from baryon_climate.dataset.listed_box import moment, number
from baryon_climate.dates import seconds
from baryon_climate.tracks import verification_tables
from baryon_climate.tracks.reading import read_fixes
from baryon_climate.tracks.track import CALENDAR, UNKNOWN, Track, tracks_of
from baryon_climate.tracks.verification import Verification, in_period, verify

KEYS: Mapping[str, str | None] = {
    "tracks": None,
    "best": None,
    "within_km": "300",
    "least_knots": "34",
    "agency": "usa",
    "first": "",
    "last": "",
    "out": "",
}
"""The arguments and their defaults; None: it must be given."""
USAGE = (
    "python -m baryon_climate.tracks.verify tracks=<file> best=<file> [within_km=300] "
    "[least_knots=34] [agency=usa] [first=<time>] [last=<time>] [out=<file.json>]"
)
WIDTH = 100
TROPICAL = TD, TC, UNKNOWN


def main(arguments: Sequence[str] | None = None) -> int:
    """Score the tracks of a command line and return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return end_with_one_line(lambda: run(words))


def run(words: Sequence[str]) -> int:
    """Score the tracks of a command line. Raises `BaryonError` for what a user can put right."""
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)  # noqa: T201
        return 0 if words else 2
    values = _values(words)
    result = score(
        tropical(_read(values["tracks"], values["agency"])),
        _read(values["best"], values["agency"]),
        within_km=_number("within_km", values),
        least_knots=_number("least_knots", values),
        period=(_time("first", values), _time("last", values)),
    )
    if values["out"]:
        with atomic_write(Path(values["out"]), "out") as temporary:
            figures = verification_tables.metrics(result)
            temporary.write_text(json.dumps(_without_nan(figures), indent=2) + "\n")
    say(verification_tables.summary(result))
    for table in verification_tables.tables(result).values():
        show(fitted(table, WIDTH))
    return 0


def score(
    tracks: Sequence[Track],
    best: Sequence[Track],
    *,
    within_km: float,
    least_knots: float,
    period: tuple[int | None, int | None],
) -> Verification:
    """Score tracks against best tracks of a period: where an end is None, that of the tracks."""
    if not tracks:
        raise BaryonError("there are no tracks to score")
    first, last = period
    first = min(int(track.times[0]) for track in tracks) if first is None else first
    last = max(int(track.times[-1]) for track in tracks) if last is None else last
    tracks, best = in_period(tracks, first, last), in_period(best, first, last)
    return verify(tracks, best, within_km=within_km, least_knots=least_knots)


def tropical(tracks: Sequence[Track]) -> list[Track]:
    """Return the tracks of tropical storms, and those of no known class."""
    chosen = [track for track in tracks if track.kind in TROPICAL]
    if len(chosen) < len(tracks):
        others = sorted({SHORT[track.kind] for track in tracks if track.kind not in TROPICAL})
        say(f"{len(tracks) - len(chosen):,} tracks of {', '.join(others)} are not scored")
    return chosen


def _read(path: str, agency: str) -> list[Track]:
    return tracks_of(Path(path), read_fixes(Path(path), agency))


def _values(words: Sequence[str]) -> dict[str, str]:
    values = {name: value for name, value in KEYS.items() if value is not None}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in KEYS:
            raise BaryonError(f"no argument {word!r}; {did_you_mean(list(KEYS), name)}")
        values[name] = value
    missing = [name for name in KEYS if name not in values]
    if missing:
        raise BaryonError(f"{' and '.join(missing)} must be given: {USAGE}")
    return values


def _number(name: str, values: Mapping[str, str]) -> float:
    try:
        return number(name, values[name])
    except ValueError as error:
        raise BaryonError(str(error)) from error


def _time(name: str, values: Mapping[str, str]) -> int | None:
    try:
        return seconds(moment(values[name]), CALENDAR) if values[name] else None
    except ValueError as error:
        raise BaryonError(f"{name}={values[name]}: {error}") from error


def _without_nan(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Replace NaN, which JSON has not."""
    # NaN alone differs from itself.
    return {name: value if value == value else None for name, value in figures.items()}


if __name__ == "__main__":
    raise SystemExit(main())
