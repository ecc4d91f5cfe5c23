"""From the years of a split to its files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from baryon.errors import BaryonError

Years = int | str | Sequence[int | str]
"""A year, a range such as `1979-1981` with both ends, or a list of these."""

_RANGE = re.compile(r"(\d{4})\s*-\s*(\d{4})")


def years(key: str, given: Years) -> list[int]:
    """Return all years, each once, ascending. Raises `BaryonError` with the config `key`."""
    parts = [given] if isinstance(given, int | str) else list(given)
    every = sorted({year for part in parts for year in _range(key, str(part).strip())})
    if not every:
        raise BaryonError(f"{key}={given} names no year: give a year or a range such as 1979-1981")
    return every


def _range(key: str, part: str) -> range:
    if re.fullmatch(r"\d{4}", part):
        return range(int(part), int(part) + 1)
    match = _RANGE.fullmatch(part)
    if match is None or match[1] > match[2]:
        raise BaryonError(
            f"{key}: {part!r} is no year of four digits and no ascending range such as 1979-1981"
        )
    return range(int(match[1]), int(match[2]) + 1)


def year_files(folder: str, wanted: Mapping[str, Sequence[int]]) -> dict[str, dict[int, Path]]:
    """Return the file of each year of each split.

    Raises `BaryonError` for a folder that is none, for all years without a file in one line, and
    for a year in two splits: neighbouring frames are alike, so it would be learned by heart.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise BaryonError(f"dataset.folder={folder} is no folder (looked from {Path.cwd()})")
    files = {int(p.stem[-4:]): p for p in sorted(place.glob("climo_[0-9][0-9][0-9][0-9].h5"))}
    _require_apart(wanted)  # before the files are looked for: it is the graver fault
    return {split: _files(place, split, asked, files) for split, asked in wanted.items()}


def _files(
    place: Path, split: str, asked: Sequence[int], files: Mapping[int, Path]
) -> dict[int, Path]:
    missing = [year for year in asked if year not in files]
    if missing:
        names = ", ".join(f"climo_{year}.h5" for year in missing)
        exist = as_ranges(sorted(files)) or "none"
        raise BaryonError(
            f"dataset.{split}={as_ranges(asked)}: {place} lacks {names}; it has the years {exist}: "
            f"fetch the rest, or name what is there, such as dataset.{split}=[1979-1982,1984]"
        )
    return {year: files[year] for year in asked}


def _require_apart(wanted: Mapping[str, Sequence[int]]) -> None:
    seen: dict[int, str] = {}
    for split, asked in wanted.items():
        for year in asked:
            if year in seen:
                raise BaryonError(
                    f"the year {year} is in dataset.{seen[year]} and in dataset.{split}: "
                    "each year belongs to one split"
                )
            seen[year] = split


def as_ranges(ascending: Sequence[int]) -> str:
    """Return years in short: 1979-1981, 1984."""
    runs: list[list[int]] = []
    for year in ascending:
        if runs and year == runs[-1][1] + 1:
            runs[-1][1] = year
        else:
            runs.append([year, year])
    return ", ".join(str(a) if a == z else f"{a}-{z}" for a, z in runs)
