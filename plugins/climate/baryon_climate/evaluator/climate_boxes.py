"""Evaluator `climate_boxes`: score a detector of extreme weather against known boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from baryon.errors import BaryonError
from baryon_climate.boxes.coding import cell_of, detect
from baryon_climate.classes import SHORT
from baryon_climate.dataset.calendar import CALENDARS
from baryon_climate.evaluator.examples import Example, Examples
from baryon_climate.evaluator.frames import (
    HEURISTIC,
    NETWORK,
    Boxes,
    Floats,
    Frame,
    boxes_of,
    grid_of,
    in_order,
    labels_of,
)
from baryon_climate.evaluator.heuristic.criteria import criteria
from baryon_climate.evaluator.units import in_units
from baryon_climate.fields import NAMES
from baryon_climate.windows import labelled_step

if TYPE_CHECKING:
    from baryon.interfaces import Batch, Evaluation

State: TypeAlias = tuple[list[Frame], list[Example], int]
WINDOW_AXES = 5


class ClimateBoxes:
    """Score a network by average precision, skill and size, beside hand-made criteria.

    Average precision follows the rules of Racah et al. and of COCO, skill scores count hits by
    distance. Keeps the boxes of every labelled frame, and the water vapour of a few. The result
    does not depend on the order of batches, nor on which rank saw which batch. docs/climate.md
    explains the metrics.

    Parameters
    ----------
    overlaps
        Thresholds of the intersection over union, between 0 and 1.
    least_confidence
        Lowest score of a network's box that is kept at all.
    confidence
        Score from which a box counts in skill scores, sizes and maps.
    suppression
        Intersection over union above which a better box of its class suppresses another.
    most
        Number of boxes that are kept of a frame, the best.
    hit_km
        For each class (TD, TC, ETC, AR), km between the centres of a hit and its event at most.
    heuristic
        Limits of the criteria (`heuristic.criteria.Criteria`); None: no criteria.
    bootstrap
        Number of replicas, at least 2.
    seed
        Seed of the bootstrap.
    few_events
        Number of known events below which a class is warned of.
    example_maps
        Number of frames that are drawn.

    Raises
    ------
    BaryonError
        If a value is out of its range, or a library that is needed is not installed.

    """

    # The criteria belong to the evaluator and not to a model: they see the same frames in the same
    # pass, and the tables need both.

    predictor = "baryon_climate.prediction.climate_boxes:ClimateBoxesPredictor"

    def __init__(
        self,
        *,
        overlaps: Sequence[float],
        least_confidence: float,
        confidence: float,
        suppression: float,
        most: int,
        hit_km: Mapping[str, float],
        heuristic: Mapping[str, float] | None,
        bootstrap: int,
        seed: int,
        few_events: int,
        example_maps: int,
    ) -> None:
        for name, value in {"suppression": suppression, "confidence": confidence}.items():
            _require(0 <= value <= 1, f"{name}={value} must be from 0 to 1")
        _require(
            overlaps and all(0 < overlap < 1 for overlap in overlaps),
            "overlaps must be within 0..1",
        )
        _require(sorted(hit_km) == sorted(SHORT), f"hit_km must name {', '.join(SHORT)}")
        _require(0 <= least_confidence <= confidence, "least_confidence is above confidence")
        _require(bootstrap >= 2, f"bootstrap={bootstrap} must be at least 2")
        self._overlaps, self._confidence, self._few = list(overlaps), confidence, few_events
        self._least, self._suppression, self._most = least_confidence, suppression, most
        self._kilometres = [hit_km[short] for short in SHORT]
        self._criteria = None if heuristic is None else criteria(heuristic)
        self._bootstrap, self._seed = bootstrap, seed
        if self._criteria is not None:
            _require_library("scipy", "the criteria need SciPy", "heuristic=null")
        if example_maps:
            _require_library("cftime", "the maps' dates need cftime", "example_maps=0")
        self._frames: list[Frame] = []
        self._examples = Examples(example_maps)
        self._unlabelled = 0

    def update(self, output: Any, batch: Batch) -> None:
        """Add the labelled frames of a batch, with the boxes of the model's output for them.

        The batch holds `keys`, `inputs`, `boxes`, `labelled`, `time`, `grid` and `scaling`;
        for example maps also `calendar` and `synthetic`.
        """
        labelled = batch["labelled"].bool()
        self._unlabelled += int((~labelled).sum())
        numbers = labelled.nonzero()[:, 0].tolist()
        if not numbers:
            return
        height, width = batch["inputs"].shape[-2:]
        cyclic = bool(batch["grid"][0, 4] == 1)
        # All boxes from a low score on are kept instead of the outputs: every threshold is read
        # off one matching, in which a box's partner does not depend on what scores below it.
        detections = detect(
            {name: output[name][numbers] for name in ("objectness", "classes", "position", "size")},
            frame=(height, width),
            cell=cell_of((height, width), tuple(output["objectness"].shape[-2:])),
            cyclic=cyclic,
            confidence=self._least,
            overlap=self._suppression,
            most=self._most,
        )
        for number, boxes in zip(numbers, detections, strict=True):
            self._take(batch, number, boxes_of(boxes))

    def _take(self, batch: Batch, number: int, network: Boxes) -> None:
        grid, fields = grid_of(batch, number), self._fields(batch, number)
        boxes_by_finder = {NETWORK: network}
        if self._criteria is not None:
            from baryon_climate.evaluator.heuristic.detector import detect_by_criteria

            boxes_by_finder[HEURISTIC] = detect_by_criteria(fields, grid, self._criteria)
        truth = labels_of(batch["boxes"][number].numpy())
        key, time = int(batch["keys"][number]), int(batch["time"][number])
        frame = Frame(key, time, grid, truth, boxes_by_finder)
        self._frames.append(frame)
        if "TMQ" in fields and self._examples.most:
            calendar = CALENDARS[int(batch["calendar"][number])]
            synthetic = bool(batch["synthetic"][number])
            self._examples.offer(frame, fields["TMQ"], calendar, synthetic=synthetic)

    def _fields(self, batch: Batch, number: int) -> dict[str, Floats]:
        """Return the fields of the labelled step by name, none if the channels are not CAM5's."""
        inputs = batch["inputs"][number]
        if batch["inputs"].dim() == WINDOW_AXES:
            inputs = inputs[:, labelled_step(inputs.shape[1])]
        if len(inputs) == len(NAMES):
            return in_units(inputs.numpy(), batch["scaling"][number].numpy())
        if self._criteria is not None:
            raise BaryonError(
                f"evaluator climate_boxes: the criteria need the {len(NAMES)} channels of "
                f"ExtremeWeather, and these frames have {len(inputs)}: give "
                "evaluator.heuristic=null"
            )
        return {}

    def state(self) -> State:
        """Return all that was added so far, to be pickled and merged on another rank."""
        return self._frames, self._examples.examples, self._unlabelled

    def merge(self, state: State) -> None:
        """Add the state of another rank's evaluator."""
        frames, examples, unlabelled = state
        self._frames.extend(frames)
        self._examples.merge(examples)
        self._unlabelled += unlabelled

    def result(self) -> Evaluation:
        """Compute metrics, tables and figures.

        Raises `BaryonError` if no frame had labels, or a frame came twice.
        """
        from baryon_climate.evaluator.figures import figures
        from baryon_climate.evaluator.report import report
        from baryon_climate.evaluator.results import results

        frames = in_order(self._frames)
        # The bootstrap draws frames, not boxes, and weighs the matches of the whole sample: a match
        # never crosses frames, so nothing is matched again.
        draws = np.random.default_rng(self._seed).poisson(1.0, (self._bootstrap, len(frames)))
        scored = results(
            frames,
            self._overlaps,
            self._kilometres,
            self._confidence,
            draws.astype(np.float64),
            self._few,
            self._unlabelled,
        )
        return report(scored, figures(scored, self._examples.examples))


def _require(holds: object, fault: str) -> None:
    if not holds:
        raise BaryonError(f"evaluator climate_boxes: {fault}")


def _require_library(name: str, why: str, without: str) -> None:
    if find_spec(name) is None:
        raise BaryonError(
            f"evaluator climate_boxes: {why}: pip install 'baryon[climate]', or give "
            f"evaluator.{without}"
        )
