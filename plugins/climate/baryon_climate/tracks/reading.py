"""Read tracks from a file, whose format is told by its first line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from baryon.errors import BaryonError, format_error
from baryon.terminal.console import warn
from baryon_climate.tracks import hurdat2, ibtracs, nodefile, track_csv
from baryon_climate.tracks.fix import Fix
from baryon_climate.tracks.table import Line, open_table

FORMATS = (
    "IBTrACS (CSV with SID, ISO_TIME, LAT, LON), HURDAT2, a CSV with track_id, lat, lon and time "
    "(or year, month, day, hour), or what TempestExtremes's StitchNodes writes"
)


def is_track_file(path: Path) -> bool:
    """Tell whether a file is of one of the formats, by its first line."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            # Limited: a binary file may have no line end for gigabytes.
            first = file.readline(10_000)
    except OSError:
        return False
    header = [name.strip() for name in first.rstrip("\r\n").split(",")]
    return (
        hurdat2.looks_like(first)
        or nodefile.looks_like(first)
        or set(ibtracs.COLUMNS) <= set(header)
        or track_csv.looks_like(header)
    )


def read_fixes(path: Path, agency: str = "usa") -> list[Fix]:
    """Read the fixes of a file of tracks, in its order.

    Parameters
    ----------
    path
        A file of one of `FORMATS`.
    agency
        Of IBTrACS, whose winds and pressures: `usa`, `wmo`, `tokyo` or another that has columns.

    Raises
    ------
    BaryonError
        If the file cannot be read, naming the line. Lines without a position are left out with a
        warning.

    """
    try:
        # Spreadsheets write a byte order mark, which would become part of the first column's name.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BaryonError(f"{path} is not text in UTF-8 ({error.reason})") from error
    except OSError as error:
        raise BaryonError(f"{path} cannot be read ({format_error(error)})") from error
    try:
        fixes = with_winds_between(_with_position(path, _parse(path, text, agency)))
    except ValueError as error:
        raise BaryonError(f"{path}: {error}") from error
    _warn_of_missing_winds(path, fixes)
    return fixes


def _parse(path: Path, text: str, agency: str) -> Iterator[Fix | Line]:
    first = text.split("\n", 1)[0]
    if hurdat2.looks_like(first):
        return hurdat2.read(text.splitlines())
    if nodefile.looks_like(first):
        return nodefile.read(text.splitlines())
    table = open_table(text)
    if set(ibtracs.COLUMNS) <= set(table.header):
        return ibtracs.read(table, agency)
    if track_csv.looks_like(table.header):
        return track_csv.read(table)
    raise BaryonError(f"{path} is no list of tracks; it must be {FORMATS}")


def _with_position(path: Path, entries: Iterable[Fix | Line]) -> list[Fix]:
    entries = list(entries)
    fixes = [entry for entry in entries if isinstance(entry, Fix)]
    without = [entry for entry in entries if not isinstance(entry, Fix)]
    if without:
        warn(
            f"{path}: {len(without):,} of {len(fixes) + len(without):,} lines have no position "
            f"(the first is {without[0].place}): left out"
        )
    return fixes


def with_winds_between(fixes: Iterable[Fix]) -> list[Fix]:
    """Give a fix without wind the mean of those before and after it, where both are the storm's.

    IBTrACS has positions every three hours, and many agencies give winds every six.
    """
    filled = list(fixes)
    for number in range(1, len(filled) - 1):
        before, fix, after = filled[number - 1 : number + 2]
        if math.isnan(fix.wind) and before.storm == fix.storm == after.storm:
            filled[number] = replace(fix, wind=(before.wind + after.wind) / 2)
    return filled


def _warn_of_missing_winds(path: Path, fixes: list[Fix]) -> None:
    calm = [fix for fix in fixes if math.isnan(fix.wind) and fix.kind is None]
    if calm:
        warn(
            f"{path}: {len(calm):,} of {len(fixes):,} lines have no wind (the first is "
            f"{calm[0].place}): their intensity is not known"
        )
