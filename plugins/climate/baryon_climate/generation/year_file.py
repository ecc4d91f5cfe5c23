"""Files of frames: parts that workers make, joined into one file a year without decoding them."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import deflate
import h5py
import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError, format_error
from baryon.system.atomic import atomic_write
from baryon_climate.dataset.box_order import places
from baryon_climate.dataset.calendar import NOLEAP
from baryon_climate.fields import CHANNELS, NAMES, UNITS
from baryon_climate.generation.settings import Settings
from baryon_climate.generation.truth import BOXES
from baryon_climate.generation.weather import World
from baryon_climate.grid import Grid

GZIP_LEVEL = 4
MANTISSA = 23
BOXES_ENTRY = "boxes"
LABEL_STREAM = 10
"""Number of the random source of label noise; `World` has those from 0."""
OUT = "generate.out"
"""Config key of the folder."""


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive frames of a year: what one worker makes at a time."""

    year: int
    first: int
    frames: int
    file: Path


def parts(settings: Settings, folder: Path) -> list[Part]:
    """Return all parts, those of a year in order."""
    return [
        Part(
            year,
            first,
            min(settings.part_frames, settings.count - first),
            folder / f"climo_{year}-{first:05d}.zip",
        )
        for year in settings.years
        for first in range(0, settings.count, settings.part_frames)
    ]


def make_part(part: Part, settings: Settings, report: Callable[[int], None]) -> None:
    """Write a part under its name once it is complete; call `report` after every frame.

    Raises `BaryonError` if the disk has no room for it.
    """
    world = World(Grid.globe(settings.height, settings.width), settings.seed, part.year)
    part.file.parent.mkdir(parents=True, exist_ok=True)
    boxes = np.empty((part.frames, BOXES, 5), "<i4")
    # an archive of compressed chunks, not HDF5: that library may take the process with it when a
    # disk is full
    with atomic_write(part.file, OUT) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for number in range(part.frames):
            frame_number = part.first + number
            frame, true_boxes = world.frame(frame_number * settings.step_hours / 24)
            chunk = _compressed(rounded(frame, settings.significant_bits))
            archive.writestr(_entry(number), chunk)
            boxes[number] = _labels(true_boxes, part.year, frame_number, settings)
            report(1)
        archive.writestr(BOXES_ENTRY, boxes.tobytes())


def _labels(
    boxes: npt.NDArray[np.int32], year: int, frame_number: int, settings: Settings
) -> npt.NDArray[np.int32]:
    """Return the boxes of a frame with the noise and in the columns that the settings ask for."""
    # a source of random numbers a frame, so that parts can be made in any order
    random = np.random.default_rng([settings.seed, year, LABEL_STREAM, frame_number])
    noisy = settings.label_noise.applied(boxes, settings.height, settings.width, random)
    return stored_order(noisy, settings.box_order)


def _entry(number: int) -> str:
    return f"frame-{number:05d}"


def join(
    path: Path,
    year_parts: Sequence[Part],
    settings: Settings,
    versions: Mapping[str, str],
    report: Callable[[int], None],
) -> None:
    """Write a year's file from its parts, copying their compressed chunks, and remove the parts.

    Raises `BaryonError` if there is no room for it.
    """
    _require_room(path, year_parts)
    try:
        with atomic_write(path, OUT) as temporary, h5py.File(temporary, "w") as file:
            images, boxes = _members(file, settings, settings.count)
            _describe(file, settings, versions)
            for part in year_parts:
                _copy(part, images, boxes)
                report(part.frames)
    except RuntimeError as error:  # how HDF5 tells of a disk that is full when a file is closed
        number = re.search(r"errno = (\d+)", str(error))
        reason = os.strerror(int(number[1])) if number else str(error).partition("\n")[0]
        raise BaryonError(
            f"cannot write {path}: {reason}; make room and run the same command again: finished "
            "parts are kept"
        ) from error
    for part in year_parts:
        part.file.unlink()


def _copy(part: Part, images: Any, boxes: Any) -> None:
    try:
        with zipfile.ZipFile(part.file) as archive:
            for number in range(part.frames):
                chunk = archive.read(_entry(number))
                images.id.write_direct_chunk((part.first + number, 0, 0, 0), chunk)
            rows = np.frombuffer(archive.read(BOXES_ENTRY), "<i4").reshape(part.frames, BOXES, 5)
            boxes[part.first : part.first + part.frames] = rows
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, zlib.error) as error:
        raise BaryonError(
            f"{part.file} is damaged ({format_error(error)}): remove it and run the same command "
            "again, which makes it anew"
        ) from error


def _require_room(path: Path, year_parts: Sequence[Part]) -> None:
    needed = sum(part.file.stat().st_size for part in year_parts) + 2**20
    # HDF5 may end the process when a disk is full, so it is asked before
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise BaryonError(
            f"{path} needs {needed / 2**20:,.0f} MiB, but {free / 2**20:,.0f} MiB are free there: "
            "make room and run the same command again; finished parts are kept"
        )


def _members(file: h5py.File, settings: Settings, frames: int) -> tuple[Any, Any]:
    """Create the empty datasets of images and boxes."""
    # one chunk a frame: a frame is read whole, by one thread, with no byte copied twice
    shape = (len(CHANNELS), settings.height, settings.width)
    options: dict[str, Any] = {"compression": "gzip", "compression_opts": GZIP_LEVEL}
    images = file.create_dataset(
        "images", (frames, *shape), "<f4", chunks=(1, *shape), shuffle=True, **options
    )
    rows = (frames, BOXES, 5)
    return images, file.create_dataset("boxes", rows, "<i4", chunks=rows, fillvalue=-1, **options)


def _describe(file: h5py.File, settings: Settings, versions: Mapping[str, str]) -> None:
    file.attrs.update(
        {
            "title": "SYNTHETIC global frames with storms at known places",
            "synthetic": "yes: drawn by a program from random storms; no climate model, no "
            "observation; not for conclusions about the climate",
            "source": "baryon data generate dataset=climate_extreme_weather",
            "history": settings.command(),
            "versions": json.dumps(versions),
            "channels": list(NAMES),
            "units": list(UNITS),
            "calendar": NOLEAP,
            "label_noise": json.dumps(asdict(settings.label_noise)),
            "hours_between_frames": settings.step_hours,
            "frames": settings.count,
        }
    )


def rounded(values: npt.NDArray[np.float32], bits: int) -> npt.NDArray[np.float32]:
    """Round in place to the nearest number with `bits` bits after the leading one, ties to even."""
    # what falls away is far below the accuracy of any model, and noise does not compress
    cut = MANTISSA - bits
    if cut > 0:
        # half of the last bit that stays is added, and one less where that bit is 0: ties to even
        words = values.view(np.uint32)
        words += ((words >> cut) & 1) + np.uint32((1 << (cut - 1)) - 1)
        words &= np.uint32(0xFFFFFFFF << cut & 0xFFFFFFFF)
    return values


def _compressed(frame: npt.NDArray[np.float32]) -> bytes:
    """Compress a frame as HDF5's filters shuffle and gzip would."""
    # all first bytes, then all second ones ...: exponents of neighbours are alike and compress
    planes = np.ascontiguousarray(frame.view(np.uint8).reshape(-1, 4).T)
    return bytes(deflate.zlib_compress(planes.reshape(-1), GZIP_LEVEL))


def stored_order(boxes: npt.NDArray[np.int32], order: str) -> npt.NDArray[np.int32]:
    """Return boxes (..., 5) of ymin, xmin, ymax, xmax, class with columns in another order."""
    reordered = boxes.copy()
    reordered[..., places(order)] = boxes[..., :4]
    return reordered
