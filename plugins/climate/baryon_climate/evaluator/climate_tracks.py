"""Evaluator `climate_tracks`: score a detector by the tracks that its boxes make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from baryon.errors import BaryonError
from baryon_climate.boxes.coding import cell_of, detect
from baryon_climate.classes import SHORT
from baryon_climate.dataset.calendar import CALENDARS
from baryon_climate.evaluator.frames import Boxes, boxes_of, grid_of, labels_of
from baryon_climate.grid import Grid
from baryon_climate.storms import storms
from baryon_climate.tracks.batch_fields import fields_of
from baryon_climate.tracks.intensity import intensities
from baryon_climate.tracks.linking import Linker, LinkRules, Sighting, link_rules
from baryon_climate.tracks.reading import read_fixes
from baryon_climate.tracks.track import Track, tracks_of
from baryon_climate.tracks.verification import in_period, verify
from baryon_climate.tracks.verification_tables import metrics, summary, tables

if TYPE_CHECKING:
    from baryon.interfaces import Batch, Evaluation

NAME = "evaluator climate_tracks"
Frame: TypeAlias = tuple[int, Sighting, Sighting | None]
"""Row of a frame, what was found in it, and what is known of it: None where nobody looked."""
State: TypeAlias = tuple[list[Frame], "tuple[str, Grid] | None"]


class ClimateTracks:
    """Score tracks of storms: detection, false alarms, errors of position, pressure and duration.

    Boxes of all frames are linked to tracks (`baryon_climate.tracks.linking`) and compared with
    best tracks, or without those with the tracks that the known boxes make
    (`baryon_climate.tracks.verification`). The result does not depend on the order of batches, nor
    on which rank saw which batch. docs/tracks.md explains the figures.

    Parameters
    ----------
    confidence
        Lowest score of a box that is linked.
    suppression
        Intersection over union above which a better box of its class suppresses another.
    most
        Number of boxes that are kept of a frame, the best.
    tracks
        Limits of a track (`baryon_climate.tracks.linking.LinkRules`).
    classes
        Short names of the classes whose tracks are scored.
    best_tracks
        File of best tracks; None: the known boxes are linked by the same limits.
    agency
        Of IBTrACS, whose winds.
    within_km
        Distance at most of a hit.
    least_knots
        Largest wind of a best track that is looked for, at least; of known boxes all are.
    bootstrap
        Number of replicas, at least 2.
    seed
        Seed of the bootstrap.

    Raises
    ------
    BaryonError
        If a value is out of its range, or the best tracks cannot be read.

    """

    predictor = "baryon_climate.prediction.climate_boxes:ClimateBoxesPredictor"

    def __init__(
        self,
        *,
        confidence: float,
        suppression: float,
        most: int,
        tracks: Mapping[str, float],
        classes: Sequence[str],
        best_tracks: str | None,
        agency: str,
        within_km: float,
        least_knots: float,
        bootstrap: int,
        seed: int,
    ) -> None:
        for name, value in {"suppression": suppression, "confidence": confidence}.items():
            _require(0 <= value <= 1, f"{name}={value} must be from 0 to 1")
        _require(within_km > 0, f"within_km={within_km} must be above 0")
        _require(bootstrap >= 2, f"bootstrap={bootstrap} must be at least 2")
        _require(
            classes and set(classes) <= set(SHORT), f"classes must be some of {', '.join(SHORT)}"
        )
        self._detecting = {"confidence": confidence, "overlap": suppression, "most": most}
        self._rules: LinkRules = link_rules(NAME, tracks)
        self._classes = [SHORT.index(short) for short in classes]
        self._path = None if best_tracks is None else Path(best_tracks).expanduser()
        # read now, not after hours of training
        self._fixes = None if self._path is None else read_fixes(self._path, agency)
        self._within_km, self._least_knots = within_km, least_knots
        self._bootstrap, self._seed = bootstrap, seed
        self._frames: list[Frame] = []
        self._world: tuple[str, Grid] | None = None

    def update(self, output: Any, batch: Batch) -> None:
        """Add the frames of a batch with the boxes of the model's output.

        The batch holds `keys`, `inputs`, `boxes`, `labelled`, `time`, `calendar`, `grid` and
        `scaling`.
        """
        height, width = batch["inputs"].shape[-2:]
        detections = detect(
            {name: output[name] for name in ("objectness", "classes", "position", "size")},
            frame=(height, width),
            cell=cell_of((height, width), tuple(output["objectness"].shape[-2:])),
            cyclic=bool(batch["grid"][0, 4] == 1),
            **self._detecting,  # type: ignore[arg-type]
        )
        for number, boxes in enumerate(detections):
            grid = grid_of(batch, number)
            # The same for all frames of a split: the first one tells.
            self._world = self._world or (CALENDARS[int(batch["calendar"][number])], grid)
            found = self._sighting(batch, number, grid, boxes_of(boxes))
            known = None
            if self._fixes is None and bool(batch["labelled"][number]):
                truth = labels_of(batch["boxes"][number].numpy())
                known = self._sighting(batch, number, grid, truth)
            self._frames.append((int(batch["keys"][number]), found, known))

    def _sighting(self, batch: Batch, number: int, grid: Grid, boxes: Boxes) -> Sighting:
        of_frame = storms(
            int(batch["keys"][number]),
            int(batch["time"][number]),
            grid,
            boxes.corners.astype(float),
            boxes.classes,
            boxes.scores.astype(float),
        )
        of_frame = of_frame.of_classes(self._classes)
        return Sighting(of_frame, *intensities(fields_of(batch, number), grid, of_frame))

    def state(self) -> State:
        """Return all that was added so far, to be pickled and merged on another rank."""
        return self._frames, self._world

    def merge(self, state: State) -> None:
        """Add the state of another rank's evaluator."""
        frames, world = state
        self._frames.extend(frames)
        self._world = self._world or world

    def result(self) -> Evaluation:
        """Compute metrics, tables and the map.

        Raises `BaryonError` if there is no storm to be found, or a frame came twice.
        """
        from baryon.interfaces import Evaluation
        from baryon_climate.tracks.track_map import draw_tracks

        frames = self._in_order()
        assert self._world is not None
        calendar, grid = self._world
        tracks = self._link([found for _, found, _ in frames])
        best = self._best(frames, calendar)
        result = verify(
            tracks,
            best,
            within_km=self._within_km,
            least_knots=0.0 if self._fixes is None else self._least_knots,
            replicas=self._bootstrap,
            seed=self._seed,
        )
        return Evaluation(
            summary=summary(result),
            metrics=metrics(result),
            tables=tables(result),
            figures={"tracks": draw_tracks(grid, tracks, best)},
            judged_by=("csi",),
        )

    def _in_order(self) -> list[Frame]:
        frames = sorted(self._frames, key=lambda frame: frame[0])
        if not frames:
            raise BaryonError("climate_tracks has seen no frame")
        for (before, *_), (after, *_) in pairwise(frames):
            if before == after:
                raise BaryonError(f"climate_tracks: the frame of row {after} came twice")
        return frames

    def _best(self, frames: Sequence[Frame], calendar: str) -> list[Track]:
        if self._fixes is None or self._path is None:
            best = self._link([known for _, _, known in frames if known is not None])
            if not best:
                raise BaryonError(
                    "climate_tracks: the known boxes make no track: frames may be too far apart "
                    "(evaluator.tracks.gap_hours), or give evaluator.best_tracks=<file>"
                )
            return best
        times = [found.storms.time for _, found, _ in frames]
        best = in_period(tracks_of(self._path, self._fixes, calendar), min(times), max(times))
        if not best:
            raise BaryonError(
                f"climate_tracks: no best track of {self._path} is in the time of the frames"
            )
        return best

    def _link(self, sightings: Sequence[Sighting]) -> list[Track]:
        linker = Linker(self._rules)
        for sighting in sightings:
            linker.add(sighting)
        return linker.finish()


def _require(holds: object, fault: str) -> None:
    if not holds:
        raise BaryonError(f"{NAME}: {fault}")
