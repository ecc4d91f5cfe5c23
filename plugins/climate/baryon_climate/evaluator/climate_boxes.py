"""Evaluator `climate_boxes`: what a detector of extreme weather is worth."""

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
    """Average precision under two rules, skill scores by distance, sizes; against criteria.

    Keeps the boxes of every frame with labels, and the water vapour of a few. The answer does not
    depend on the order of batches, nor on which rank saw which. docs/climate.md tells the metrics.
    """

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
        _require(overlaps and all(0 < one < 1 for one in overlaps), "overlaps must be within 0..1")
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
        """Take in a model's output and the batch that it belongs to.

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
        found = detect(
            {name: output[name][numbers] for name in ("objectness", "classes", "position", "size")},
            frame=(height, width),
            cell=cell_of((height, width), tuple(output["objectness"].shape[-2:])),
            cyclic=cyclic,
            confidence=self._least,
            overlap=self._suppression,
            most=self._most,
        )
        for number, boxes in zip(numbers, found, strict=True):
            self._take(batch, number, boxes_of(boxes))

    def _take(self, batch: Batch, number: int, network: Boxes) -> None:
        grid, fields = grid_of(batch, number), self._fields(batch, number)
        found = {NETWORK: network}
        if self._criteria is not None:
            from baryon_climate.evaluator.heuristic.detector import detect_by_criteria

            found[HEURISTIC] = detect_by_criteria(fields, grid, self._criteria)
        truth = labels_of(batch["boxes"][number].numpy())
        key, time = int(batch["keys"][number]), int(batch["time"][number])
        frame = Frame(key, time, grid, truth, found)
        self._frames.append(frame)
        if "TMQ" in fields and self._examples.most:
            calendar = CALENDARS[int(batch["calendar"][number])]
            synthetic = bool(batch["synthetic"][number])
            self._examples.offer(frame, fields["TMQ"], calendar, synthetic=synthetic)

    def _fields(self, batch: Batch, number: int) -> dict[str, Floats]:
        """Of the labelled step, by name; none if the frames have other channels than CAM5's."""
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
        """What was taken in so far, picklable."""
        return self._frames, self._examples.kept, self._unlabelled

    def merge(self, state: State) -> None:
        """Take in what another rank's evaluator saw."""
        frames, examples, unlabelled = state
        self._frames.extend(frames)
        self._examples.merge(examples)
        self._unlabelled += unlabelled

    def result(self) -> Evaluation:
        """Metrics, tables and figures.

        Raises `BaryonError` if no frame had labels, or a frame came twice.
        """
        from baryon_climate.evaluator.figures import figures
        from baryon_climate.evaluator.report import report
        from baryon_climate.evaluator.results import results

        frames = in_order(self._frames)
        draws = np.random.default_rng(self._seed).poisson(1.0, (self._bootstrap, len(frames)))
        found = results(
            frames,
            self._overlaps,
            self._kilometres,
            self._confidence,
            draws.astype(np.float64),
            self._few,
            self._unlabelled,
        )
        return report(found, figures(found, self._examples.kept))


def _require(holds: object, fault: str) -> None:
    if not holds:
        raise BaryonError(f"evaluator climate_boxes: {fault}")


def _require_library(name: str, why: str, without: str) -> None:
    if find_spec(name) is None:
        raise BaryonError(
            f"evaluator climate_boxes: {why}: pip install 'baryon[climate]', or give "
            f"evaluator.{without}"
        )
