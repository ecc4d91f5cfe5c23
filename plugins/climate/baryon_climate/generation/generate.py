"""Make synthetic frames: `baryon data generate dataset=climate_extreme_weather`.

Frames are made in parts by several processes, then joined into one file a year. The same settings
give the same bytes, whatever the number of workers and however often the work was interrupted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError
from baryon.system import worker_pool
from baryon.system.atomic import remove_written, write_text
from baryon.system.plain_data import read_json
from baryon.terminal.console import say
from baryon.terminal.progress import bar
from baryon_climate.dataset.years import Years, as_ranges
from baryon_climate.dataset.years import years as all_years
from baryon_climate.generation.settings import Settings, even_step
from baryon_climate.generation.weather import VERSION
from baryon_climate.generation.year_file import OUT, Part, join, make_part, parts

RECORD, PARTS, PARTS_RECORD = "generation.json", "parts", "settings.json"
WEATHER = "weather"
"""Name of the generator's version among the versions of a record."""


def generate(
    *,
    out: str,
    years: Years,
    frames: int | None,
    step_hours: int | None,
    height: int,
    significant_bits: int,
    box_order: str,
    seed: int,
    part_frames: int,
    label_jitter: float,
    label_misses: float,
    label_false_alarms: float,
    workers: int | None,
) -> None:
    """Write `climo_YYYY.h5` for each year and `generation.json` in the folder `out`.

    Each argument is a key of `conf/generate/climate_extreme_weather.yaml`, which says what it does.
    Called again after an interruption it goes on; called again when finished it does nothing.

    Raises
    ------
    BaryonError
        For settings that make no sense, a folder that holds other data or frames of other settings
        or another version of the generator, a full disk, or a worker process that died.

    """
    settings = Settings(
        years=tuple(all_years("generate.years", years)),
        frames=frames,
        step_hours=even_step(frames) if step_hours is None else step_hours,
        height=height,
        significant_bits=significant_bits,
        box_order=box_order,
        seed=seed,
        part_frames=part_frames,
        label_jitter=label_jitter,
        label_misses=label_misses,
        label_false_alarms=label_false_alarms,
    )
    if workers is not None and workers < 1:
        raise BaryonError(f"generate.workers: {workers} is below 1; null takes all cores")
    try:
        _generate(settings, Path(out).expanduser(), workers or len(os.sched_getaffinity(0)))
    except KeyboardInterrupt:
        raise BaryonError(
            "interrupted; finished parts are kept, run the same command again to go on"
        ) from None


def _generate(settings: Settings, folder: Path, workers: int) -> None:
    if _is_finished(settings, folder):
        say(f"{folder} already holds these frames: nothing to do")
        return
    _open(settings, folder)
    todo: dict[int, list[Part]] = {}
    all_parts = parts(settings, folder / PARTS)
    for part in all_parts:
        if not _file(folder, part.year).exists():
            todo.setdefault(part.year, []).append(part)
    _make([part for year_parts in todo.values() for part in year_parts], settings, workers)
    _join(folder, todo, settings, workers)
    record = {"settings": settings.record(), "command": settings.command(), "versions": _versions()}
    # written last: a folder with this file is complete
    write_text(folder / RECORD, json.dumps({"synthetic": True, **record}, indent=2) + "\n", OUT)
    # Only what was written here: the user may keep something else in a folder of this name.
    remove_written(folder / PARTS, [PARTS_RECORD, *(part.file.name for part in all_parts)])
    total = settings.count * len(settings.years)
    say(f"{total:,} synthetic frames of {as_ranges(settings.years)} in {folder}")


def _file(folder: Path, year: int) -> Path:
    return folder / f"climo_{year}.h5"


def _make(todo: Sequence[Part], settings: Settings, workers: int) -> None:
    missing = [part for part in todo if not part.file.exists()]
    if len(missing) < len(todo):
        say(f"{len(todo) - len(missing)} of {len(todo)} parts are there already")
    with bar("making frames", sum(part.frames for part in missing), "frames") as advance:
        worker_pool.run(make_part, [(part, settings) for part in missing], workers, advance)


def _join(
    folder: Path, todo: Mapping[int, Sequence[Part]], settings: Settings, workers: int
) -> None:
    tasks = [
        (_file(folder, year), year_parts, settings, _versions())
        for year, year_parts in todo.items()
    ]
    with bar("writing files", settings.count * len(tasks), "frames") as advance:
        worker_pool.run(join, tasks, workers, advance)


def _is_finished(settings: Settings, folder: Path) -> bool:
    """Return whether the folder holds these frames; raise `BaryonError` if it holds others."""
    path = folder / RECORD
    if not path.exists():
        return False
    record = read_json(path)
    before, versions = record.get("settings"), record.get("versions")
    if not isinstance(before, dict) or not isinstance(versions, dict):
        raise BaryonError(f"{path} is damaged: it tells no settings; choose another {OUT}")
    # the weather's version alone: other releases of libraries give the same weather
    before = {**before, WEATHER: versions.get(WEATHER)}
    _require_same(before, {**settings.record(), WEATHER: _versions()[WEATHER]}, path)
    return True


def _open(settings: Settings, folder: Path) -> None:
    """Make the folder, or go on with the parts of the same settings and software it holds."""
    now = {**settings.record(), **_versions()}
    record = folder / PARTS / PARTS_RECORD
    if record.exists():
        _require_same(read_json(record), now, record)
        return
    # files that this command did not make are never overwritten
    foreign = sorted(file.name for file in folder.glob("climo_*.h5"))
    if foreign:
        raise BaryonError(
            f"{folder} holds {', '.join(foreign)} but no {RECORD}: not made by this command; "
            "choose another generate.out"
        )
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BaryonError(f"generate.out={folder} cannot be made: {error.strerror}") from error
    write_text(record, json.dumps(now), OUT)


def _require_same(before: Mapping[str, Any], now: Mapping[str, Any], record: Path) -> None:
    different = [key for key in now if before.get(key) != now[key]]
    if different:
        changes = ", ".join(f"{key} {before.get(key)} not {now[key]}" for key in different)
        raise BaryonError(
            f"{record} says that the folder holds frames of other settings ({changes}); "
            "choose another generate.out or the same settings"
        )


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("baryon", "numpy", "h5py")}
    return {**libraries, WEATHER: str(VERSION)}
