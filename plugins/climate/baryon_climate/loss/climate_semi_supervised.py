"""Loss `climate_semi_supervised`: boxes where they are known, the input rebuilt everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy, log_softmax, mse_loss, smooth_l1_loss

from baryon.errors import BaryonError
from baryon.interfaces import Batch
from baryon_climate.boxes.coding import Targets, cell_of, corners, encode
from baryon_climate.loss.nearness import nearness
from baryon_climate.loss.overlap import generalised_iou

OBJECT, NO_OBJECT = 0, 1


class _Cells(NamedTuple):
    """What the boxes of a batch ask of each cell."""

    frame: tuple[int, int]
    """Rows and columns of a frame, in pixels."""
    cell: int
    """Pixels a side."""
    targets: Targets
    objects: torch.Tensor
    """(N, h, w) bool: cells with the centre of a box, in labelled frames."""
    empty: torch.Tensor
    """(N, h, w) bool: cells without one, in labelled frames."""


class ClimateSemiSupervised:
    """Terms and weights of hur-detect (reported), each a mean over all samples of the batch.

    A frame's part of each term:
    * `position`, `size`: smooth L1 of the offset, and of the logarithms, summed over its objects;
    * `objectness`: -log p(object) summed over cells with an object, -log p(none) over empty ones;
    * `class`: cross-entropy summed over its objects;
    * `reconstruction`: mean squared error over channels and pixels, of the inputs or, where the
      dataset brings them, of their anomalies.

    The first four are zero for a frame without labels.

    Beyond the paper, and off at zero: `focusing`, the exponent of a focal objectness
    (arXiv:1708.02002); `nearness`, how far around a box's centre, in parts of its sides, empty
    cells cost less (arXiv:1904.07850); `overlap`, the weight of 1 - GIoU of each object's
    box (arXiv:1902.09630), which is what average precision asks for.
    """

    # Each term is divided by all samples of the batch, not by the labelled ones or by the objects:
    # a process knows only its own, and a mean over its labelled frames, averaged over processes,
    # would weigh frames by where they lie. A sum over each frame divided by the samples is the one
    # normalisation under which communicators and micro-batches need know nothing of labels.

    def __init__(
        self,
        *,
        position: float,
        size: float,
        objects: float,
        no_objects: float,
        classes: float,
        reconstruction: float,
        focusing: float,
        nearness: float,
        overlap: float,
    ) -> None:
        settings = {
            "position": position,
            "size": size,
            "objects": objects,
            "no_objects": no_objects,
            "classes": classes,
            "reconstruction": reconstruction,
            "focusing": focusing,
            "nearness": nearness,
            "overlap": overlap,
        }
        for name, value in settings.items():
            if value < 0:
                raise BaryonError(f"loss climate_semi_supervised: {name}={value} is below 0")
        self._position, self._size, self._classes = position, size, classes
        self._objects, self._no_objects = objects, no_objects
        self._reconstruction = reconstruction
        self._focusing, self._nearness, self._overlap = focusing, nearness, overlap

    def __call__(
        self, output: Mapping[str, torch.Tensor], batch: Batch
    ) -> Mapping[str, torch.Tensor]:
        """Return the terms of a batch, each with its weight.

        Parameters
        ----------
        output
            A detector's: `objectness` (N, 2, h, w), `classes` (N, 4, h, w), `position` and `size`
            (N, 2, h, w), and `reconstruction` like the inputs where the model has that branch.
        batch
            `inputs` (N, channels, [T,] H, W), `boxes` (N, n, 5), `labelled` (N,), and `anomalies`
            like the inputs where they are to be rebuilt instead.

        """
        cells = _cells(output, batch)
        terms = self._box_terms(output, batch, cells)
        if self._overlap:
            apart = 1 - _generalised_iou(output, cells.targets, cells.cell)
            terms["overlap"] = self._overlap * _sum_per_sample(apart, cells.objects)
        if "reconstruction" in output:
            # departures from the mean map, where the dataset brings them (dataset.anomalies)
            target = batch["anomalies"] if "anomalies" in batch else batch["inputs"]
            error = mse_loss(output["reconstruction"], target)
            terms["reconstruction"] = self._reconstruction * error
        return terms

    def _box_terms(
        self, output: Mapping[str, torch.Tensor], batch: Batch, cells: _Cells
    ) -> dict[str, torch.Tensor]:
        targets = cells.targets
        position = smooth_l1_loss(output["position"], targets.position, reduction="none").sum(1)
        size = smooth_l1_loss(output["size"], targets.size, reduction="none").sum(1)
        classes = cross_entropy(output["classes"], targets.classes, reduction="none")
        object_cost, empty_cost = self._objectness(output["objectness"], batch["boxes"], cells)
        return {
            "position": self._position * _sum_per_sample(position, cells.objects),
            "size": self._size * _sum_per_sample(size, cells.objects),
            "objectness": self._objects * _sum_per_sample(object_cost, cells.objects)
            + self._no_objects * _sum_per_sample(empty_cost, cells.empty),
            "class": self._classes * _sum_per_sample(classes, cells.objects),
        }

    def _objectness(
        self, logits: torch.Tensor, boxes: torch.Tensor, cells: _Cells
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what each cell (N, h, w) costs if it has an object, and if it has none."""
        logarithms = log_softmax(logits, dim=1)
        object_cost, empty_cost = -logarithms[:, OBJECT], -logarithms[:, NO_OBJECT]
        if self._focusing:
            chance = logarithms.exp()
            object_cost = object_cost * chance[:, NO_OBJECT] ** self._focusing
            empty_cost = empty_cost * chance[:, OBJECT] ** self._focusing
        if self._nearness:
            near = nearness(boxes, cells.frame, cells.cell, self._nearness)
            empty_cost = empty_cost * (1 - near) ** 4  # the exponent of arXiv:1904.07850
        return object_cost, empty_cost


def _cells(output: Mapping[str, torch.Tensor], batch: Batch) -> _Cells:
    frame = (batch["inputs"].shape[-2], batch["inputs"].shape[-1])
    height, width = output["objectness"].shape[-2:]
    cell = cell_of(frame, (height, width))
    targets = encode(batch["boxes"], frame, cell)
    labelled = batch["labelled"].bool()[:, None, None]
    return _Cells(frame, cell, targets, targets.occupied & labelled, labelled & ~targets.occupied)


def _sum_per_sample(cost: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """Return the sum of `cost` over some `cells`, both (N, h, w), divided by all N samples."""
    return cost.where(cells, 0.0).sum() / len(cost)


def _generalised_iou(
    output: Mapping[str, torch.Tensor], targets: Targets, cell: int
) -> torch.Tensor:
    """Return (N, h, w) of the boxes that the model and the labels put into each cell."""
    # boxes of one cell are compared, so the longitude seam is never between them
    predicted = corners(output["position"], output["size"], cell)
    return generalised_iou(predicted, corners(targets.position, targets.size, cell))
