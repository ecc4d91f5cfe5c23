"""Predictor of `climate_boxes`: find the storms of new frames, with or without labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch

from baryon.errors import BaryonError
from baryon.interfaces import Batch
from baryon.terminal.console import warn
from baryon_climate.boxes.coding import cell_of, detect
from baryon_climate.classes import SHORT
from baryon_climate.grid import Grid
from baryon_climate.storms import Storms, storms
from baryon_climate.tracks.batch_fields import fields_of
from baryon_climate.tracks.intensity import intensities
from baryon_climate.tracks.linking import Linker, Sighting, link_rules
from baryon_climate.windows import labelled_step

if TYPE_CHECKING:
    from baryon_climate.dataset.frames import Frames
    from baryon_climate.prediction.map import Map

OWNER = "predictor of climate_boxes"
VAPOUR = "TMQ"
WINDOW_AXES = 5
FARTHEST = 1e3
"""Half-ranges from the middle of the training values: no weather is there, but fill values are."""
LIBRARIES = "cftime", "h5netcdf"


class Writer(AbstractContextManager[Any], Protocol):
    """A file that grows frame by frame."""

    def append(self, storms: Storms) -> None:
        """Append the next frame."""
        ...


@dataclass(frozen=True, slots=True)
class Prediction:
    """The storms of one frame."""

    storms: Storms
    png: bytes | None
    """Map of the frame, if one was asked for."""
    sighting: Sighting | None = None
    """The same storms with their intensity, if tracks are asked for."""


class ClimateBoxesPredictor:
    """Boxes with their class, score, corners in degrees and time; tracks; maps; an animation."""

    def __init__(
        self,
        *,
        confidence: float,
        suppression: float,
        most: int,
        formats: Sequence[Literal["csv", "nodes", "geojson", "netcdf"]],
        tracks: Mapping[str, float] | None,
        map_every: int,
        animation: int,
        frames_a_second: float,
        split: Frames,
    ) -> None:
        for name, value in {"confidence": confidence, "suppression": suppression}.items():
            _require(0 <= value <= 1, f"{name}={value} must be from 0 to 1")
        _require(most >= 1, f"most={most} must be at least 1")
        _require(map_every >= 0, f"map_every={map_every} must be 0 or more")
        _require(animation >= 0, f"animation={animation} must be 0 or more")
        _require(frames_a_second > 0, f"frames_a_second={frames_a_second} must be above 0")
        _require(formats or map_every, "formats=[] and map_every=0: there is nothing to write")
        _require_libraries()
        self._names = [channel.name for channel in split.channels]
        _require(
            not map_every or VAPOUR in self._names,
            f"a map shows {VAPOUR}, which is not among the channels: give predict.map_every=0",
        )
        self._detecting = {"confidence": confidence, "overlap": suppression, "most": most}
        self._formats = list(dict.fromkeys(formats))
        self._map_every = map_every
        self._animation, self._frames_a_second = animation, frames_a_second
        self._split = split
        self._rules = None if tracks is None else link_rules(OWNER, tracks)
        self._map: tuple[Grid, Map] | None = None

    def predict(self, output: Any, batch: Batch) -> list[Prediction]:
        """Find the storms in a model's output.

        The batch holds `keys`, `inputs`, `time`, `grid` and `scaling`.

        Raises `BaryonError` for a frame with NaN or fill values.
        """
        self._require_values(batch)
        height, width = batch["inputs"].shape[-2:]
        # every rank does this, so it must not touch a file: `write` on the leader does
        boxes = detect(
            {name: output[name] for name in ("objectness", "classes", "position", "size")},
            frame=(height, width),
            cell=cell_of((height, width), tuple(output["objectness"].shape[-2:])),
            cyclic=bool(batch["grid"][0, 4] == 1),
            **self._detecting,  # type: ignore[arg-type]
        )
        predictions = []
        for number, detections in enumerate(boxes):
            grid = Grid.of(batch["grid"][number].numpy(), height, width)
            row, time = int(batch["keys"][number]), int(batch["time"][number])
            of_frame = storms(
                row,
                time,
                grid,
                detections.boxes.double().numpy(),
                detections.classes.numpy(),
                detections.scores.double().numpy(),
                self._split.file_order,
            )
            wanted = self._map_every and row % self._map_every == 0
            png = self._draw(batch, number, grid, of_frame) if wanted else None
            sighting = self._sighting(batch, number, grid, of_frame) if self._rules else None
            predictions.append(Prediction(of_frame, png, sighting))
        return predictions

    def _sighting(self, batch: Batch, number: int, grid: Grid, of_frame: Storms) -> Sighting:
        fields = fields_of(batch, number, self._names)
        return Sighting(of_frame, *intensities(fields, grid, of_frame))

    def _require_values(self, batch: Batch) -> None:
        inputs = batch["inputs"]
        peaks = inputs.abs().flatten(2).amax(dim=2)  # NaN where there is one
        wrong = torch.nonzero(~(peaks < FARTHEST))
        if len(wrong):
            number, channel = wrong[0].tolist()
            place = self._split.place(int(batch["keys"][number]))
            raise BaryonError(
                f"{place}: {self._names[channel]} holds NaN, Inf or fill values: fill the gaps, or "
                "leave out the file"
            )

    def _draw(self, batch: Batch, number: int, grid: Grid, of_frame: Storms) -> bytes:
        from baryon_climate.maps.panel import title
        from baryon_climate.prediction.map import Map

        if self._map is None or self._map[0] != grid:
            self._map = grid, Map(grid)
        channel = self._names.index(VAPOUR)
        field = batch["inputs"][number, channel]
        if batch["inputs"].dim() == WINDOW_AXES:
            field = field[labelled_step(len(field))]
        middle, half = batch["scaling"][number, channel].tolist()
        when = title(of_frame.time, self._split.calendar, synthetic=self._split.synthetic)
        return self._map[1].png(field.numpy() * half + middle, of_frame, when)

    def write(self, predictions: Iterator[list[Prediction]], folder: Path) -> str:
        """`boxes.*`, `nodes/`, `tracks.*`, `maps/` and `animation.gif`; what they hold in short."""
        from baryon_climate.prediction.animation import animate

        counts = np.zeros(len(SHORT), np.int64)
        frames, maps = 0, []
        linker = None if self._rules is None else Linker(self._rules)
        with ExitStack() as stack:
            writers: list[Writer] = [
                stack.enter_context(_writers()[form](folder, self._split)) for form in self._formats
            ]
            for prediction in (frame for batch in predictions for frame in batch):
                for writer in writers:
                    writer.append(prediction.storms)
                if prediction.png is not None:
                    maps.append(self._save(prediction, folder / "maps"))
                if linker is not None and prediction.sighting is not None:
                    linker.add(prediction.sighting)
                counts += np.bincount(prediction.storms.classes, minlength=len(SHORT))
                frames += 1
        if maps and self._animation:
            animate(maps, folder / "animation.gif", self._animation, self._frames_a_second)
        if maps:
            _warn_of_missing_coastlines()
        linked = "" if linker is None else self._write_tracks(linker, folder)
        shown = ", ".join(f"{count:,} {short}" for count, short in zip(counts, SHORT, strict=True))
        return (
            f"{counts.sum():,} boxes of score {self._detecting['confidence']:g} or more in "
            f"{frames:,}{' synthetic' if self._split.synthetic else ''} frames: {shown}{linked}"
        )

    def _write_tracks(self, linker: Linker, folder: Path) -> str:
        """Write the tracks and their map; return how many they are, to follow the boxes."""
        from baryon_climate.tracks.track_files import write_tracks
        from baryon_climate.tracks.track_map import draw_tracks

        assert self._rules is not None
        tracks = linker.finish()
        if (linker.step_hours or 0.0) > self._rules.gap_hours:
            warn(
                f"frames are {linker.step_hours:g} h apart, more than predict.tracks.gap_hours="
                f"{self._rules.gap_hours:g}: no box is linked to another"
            )
        write_tracks(tracks, folder, self._split, self._formats)
        if tracks and self._map_every:
            draw_tracks(self._split.grid, tracks).savefig(folder / "tracks.png")
        kinds = np.bincount([track.kind for track in tracks], minlength=len(SHORT))
        counts = ", ".join(f"{n:,} {short}" for n, short in zip(kinds, SHORT, strict=True))
        return f"; {len(tracks):,} tracks: {counts}"

    def _save(self, prediction: Prediction, folder: Path) -> Path:
        from baryon_climate.dates import date

        assert prediction.png is not None
        folder.mkdir(exist_ok=True)
        digits = len(str(max(len(self._split) - 1, 1)))
        when = date(prediction.storms.time, self._split.calendar)
        moment = str(when)[:16].replace(":", "")  # Windows allows no colon in a name
        name = f"{prediction.storms.frame:0{digits}d}_{moment}.png"
        (folder / name).write_bytes(prediction.png)
        return folder / name


def _writers() -> Mapping[str, Callable[[Path, Frames], Writer]]:
    from baryon_climate.prediction.geojson import GeoJson
    from baryon_climate.prediction.netcdf import NetCdf
    from baryon_climate.prediction.nodes import CsvNodes, DetectedNodes

    return {"csv": CsvNodes, "nodes": DetectedNodes, "geojson": GeoJson, "netcdf": NetCdf}


def _warn_of_missing_coastlines() -> None:
    from baryon_climate.maps.coastlines import coastlines

    if coastlines(fine=False) is None:
        warn("the maps have no coastlines: they come with pip install 'baryon[maps]'")


def _require(holds: object, fault: str) -> None:
    if not holds:
        raise BaryonError(f"{OWNER}: {fault}")


def _require_libraries() -> None:
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise BaryonError(
            f"{OWNER}: {' and '.join(missing)} is not installed: pip install 'baryon[climate]'"
        )
