"""One channel's frames in the order of time, joined from all files that hold it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon_climate.dataset.calendar import Seconds
from baryon_climate.dataset.cf_file import CfFile
from baryon_climate.dataset.cf_variables import Variable, find, misfits
from baryon_climate.fields import NAMES, Channel

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Series:
    """The frames of one channel."""

    variables: Mapping[int, Variable]
    """By the number of the file."""
    files: Integers
    """(frames,) number of each frame's file."""
    steps: Integers
    """(frames,) its step in that file."""
    times: Seconds
    calendar: str

    def runs(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of frames start..stop-1 that lie in one file."""
        edges = start + 1 + np.flatnonzero(np.diff(self.files[start:stop]))
        yield from pairwise([start, *edges.tolist(), stop])

    def read(self, files: Sequence[CfFile], start: int, stop: int) -> npt.NDArray[np.float32]:
        """Return (stop - start, rows, columns) of frames that lie in one file."""
        number, steps = int(self.files[start]), self.steps[start:stop]
        # a slice reads one block of the file, a list of steps many
        ascending = bool((np.diff(steps) == 1).all())
        along = slice(int(steps[0]), int(steps[-1]) + 1) if ascending else steps.tolist()
        return self.variables[number].read(files[number], along)

    def place(self, files: Sequence[CfFile], frame: int) -> str:
        """Return the file of a frame and the step in it, for people."""
        return f"{files[int(self.files[frame])].path}, step {int(self.steps[frame])}"


def all_series(
    files: Sequence[CfFile], channels: Sequence[Channel], named: Mapping[str, str | None]
) -> list[Series]:
    """Join each channel's frames.

    Raises `BaryonError` for all channels that no file holds in one line, for a time that a channel
    has twice, and for channels that are not there at the same times.
    """
    unknown = sorted(set(named) - set(NAMES))
    if unknown:
        raise BaryonError(
            f"dataset.variables: no channel {unknown[0]!r}; choose from: {', '.join(NAMES)}"
        )
    matches = [_matches(files, channel, named.get(channel.name)) for channel in channels]
    missing = [channel for channel, match in zip(channels, matches, strict=True) if not match]
    if missing:
        raise BaryonError(_missing(files, missing))
    _require_one_calendar(files, matches)
    joined = [_join(files, match) for match in matches]
    _require_same_times(files, channels, joined)
    return joined


def _matches(files: Sequence[CfFile], channel: Channel, named: str | None) -> dict[int, Variable]:
    """Return a channel's variable in each file that holds it; a name goes before a likeness."""
    matches = {number: find(file, channel, named) for number, file in enumerate(files)}
    held = {number: variable for number, variable in matches.items() if variable is not None}
    by_name = {number: variable for number, variable in held.items() if variable.by_name}
    return by_name or held


def _missing(files: Sequence[CfFile], channels: Sequence[Channel]) -> str:
    faults = []
    for channel in channels:
        # of the first file alone: a thousand files say the same a thousand times
        near = [reason for file in files[:1] for reason in misfits(file, channel)]
        faults.append(f"{channel.name} ({'; '.join([channel.long_name, *near])})")
    held = sorted({name for file in files for name in file.variables()})
    if "images" in held:  # the member of ExtremeWeather's files
        return (
            f"{files[0].path} holds 'images' and no fields by name: is it a climo_YYYY.h5, which "
            "dataset=climate_extreme_weather reads?"
        )
    where, has = str(files[0].path), "the file has"
    if len(files) > 1:
        where, has = f"{where} and {len(files) - 1} more", "they have"
    return (
        f"{where}: no variable for {'; '.join(faults)}; {has} {', '.join(held) or 'no fields'}: "
        "name them such as dataset.variables.TMQ=tcwv, or choose others with dataset.channels=[...]"
    )


def _require_one_calendar(
    files: Sequence[CfFile], matches: Sequence[Mapping[int, Variable]]
) -> None:
    calendars: dict[str, CfFile] = {}
    for number, variable in (item for match in matches for item in match.items()):
        calendars.setdefault(files[number].times(variable.name).calendar, files[number])
    if len(calendars) > 1:
        (first, its_file), (other, its_other) = list(calendars.items())[:2]
        raise BaryonError(
            f"{its_other.path} is in the calendar {other!r}, but {its_file.path} in {first!r}: "
            "give files of one calendar"
        )


def _join(files: Sequence[CfFile], variables: Mapping[int, Variable]) -> Series:
    axes = {number: files[number].times(variable.name) for number, variable in variables.items()}
    times = np.concatenate([axis.seconds for axis in axes.values()])
    numbers = np.repeat(list(axes), [len(axis.seconds) for axis in axes.values()])
    steps = np.concatenate([np.arange(len(axis.seconds)) for axis in axes.values()])
    # files come in any order, and the steps of one file may be out of order too
    order = np.argsort(times, kind="stable")
    calendar = next(iter(axes.values())).calendar
    joined = Series(variables, numbers[order], steps[order], times[order], calendar)
    again = np.flatnonzero(np.diff(joined.times) == 0)
    if len(again):
        first, second = (joined.place(files, int(again[0]) + n) for n in (0, 1))
        raise BaryonError(
            f"{first}, and {second}, are of one time ({variables[int(numbers[0])].channel.name}): "
            "files overlap, or one is there twice; give each time once (cdo mergetime joins files "
            "that share steps)"
        )
    return joined


def _require_same_times(
    files: Sequence[CfFile], channels: Sequence[Channel], joined: Sequence[Series]
) -> None:
    first = joined[0]
    for channel, other in zip(channels[1:], joined[1:], strict=True):
        if np.array_equal(first.times, other.times):
            continue
        lone = np.setxor1d(first.times, other.times)[0]
        has, lacks = (first, other) if lone in first.times else (other, first)
        names = (channels[0].name, channel.name)
        holder, lacking = names if has is first else names[::-1]
        place = has.place(files, int(np.searchsorted(has.times, lone)))
        raise BaryonError(
            f"{holder} has a frame where {lacking} has none ({place}): give files of all channels "
            f"for the same times; {holder} has {len(has.times):,} frames, {lacking} "
            f"{len(lacks.times):,}"
        )
