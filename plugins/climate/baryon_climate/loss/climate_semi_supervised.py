"""Loss `climate_semi_supervised`: boxes where they are known, the input rebuilt everywhere."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn.functional import cross_entropy, log_softmax, smooth_l1_loss

from baryon.errors import BaryonError
from baryon.interfaces import Batch
from baryon_climate.boxes.coding import Targets, cell_of, corners, encode
from baryon_climate.loss.nearness import nearness
from baryon_climate.loss.overlap import generalised_iou

OBJECT, NO_OBJECT = 0, 1


class ClimateSemiSupervised:
    """Terms and weights of hur-detect (reported), each a mean over all samples of the batch.

    A frame's part of each term:
    * `position`, `size`: smooth L1 of the offset, and of the logarithms, summed over its objects;
    * `objectness`: -log p(object) summed over cells with an object, -log p(none) over empty ones;
    * `class`: cross-entropy summed over its objects;
    * `reconstruction`: mean squared error over channels and pixels.

    The first four are zero for a frame without labels. As every term is the mean of what each
    frame alone makes, labelled frames may lie on the processes as they like: the mean over samples
    that communicators take is that of one process.

    Beyond the paper, and off at zero: `focusing`, the exponent of a focal objectness
    (arXiv:1708.02002); `nearness`, how far around a box's centre, in parts of its sides, empty
    cells are blamed less (arXiv:1904.07850); `overlap`, the weight of 1 - GIoU of each object's
    box (arXiv:1902.09630), which is what average precision asks for.
    """

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
        weights = {
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
        for name, weight in weights.items():
            if weight < 0:
                raise BaryonError(f"loss climate_semi_supervised: {name}={weight} is below 0")
        self._position, self._size, self._classes = position, size, classes
        self._objects, self._no_objects = objects, no_objects
        self._reconstruction = reconstruction
        self._focusing, self._nearness, self._overlap = focusing, nearness, overlap

    def __call__(
        self, output: Mapping[str, torch.Tensor], batch: Batch
    ) -> Mapping[str, torch.Tensor]:
        """`output` is a detector's, `batch` has `inputs`, `boxes` and `labelled`.

        `reconstruction` is left out where the model has no such branch.
        """
        frame = (batch["inputs"].shape[-2], batch["inputs"].shape[-1])
        grid = output["objectness"].shape[-2:]
        cell = cell_of(frame, (grid[0], grid[1]))
        targets = encode(batch["boxes"], frame, cell)
        labelled = batch["labelled"].bool()[:, None, None]
        objects = targets.occupied & labelled
        count = len(labelled)

        def summed(each: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
            return each.where(where, 0.0).sum() / count

        position = smooth_l1_loss(output["position"], targets.position, reduction="none").sum(1)
        size = smooth_l1_loss(output["size"], targets.size, reduction="none").sum(1)
        classes = cross_entropy(output["classes"], targets.classes, reduction="none")
        there, empty = self._objectness(output["objectness"], batch["boxes"], frame, cell)
        terms = {
            "position": self._position * summed(position, objects),
            "size": self._size * summed(size, objects),
            "objectness": self._objects * summed(there, objects)
            + self._no_objects * summed(empty, labelled & ~targets.occupied),
            "class": self._classes * summed(classes, objects),
        }
        if self._overlap:
            apart = 1 - self._generalised_iou(output, targets, cell)
            terms["overlap"] = self._overlap * summed(apart, objects)
        if "reconstruction" in output:
            error = torch.nn.functional.mse_loss(output["reconstruction"], batch["inputs"])
            terms["reconstruction"] = self._reconstruction * error
        return terms

    def _objectness(
        self, logits: torch.Tensor, boxes: torch.Tensor, frame: tuple[int, int], cell: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What each cell (N, h, w) costs if it has an object, and if it has none."""
        logarithms = log_softmax(logits, dim=1)
        there, empty = -logarithms[:, OBJECT], -logarithms[:, NO_OBJECT]
        if self._focusing:
            chance = logarithms.exp()
            there = there * chance[:, NO_OBJECT] ** self._focusing
            empty = empty * chance[:, OBJECT] ** self._focusing
        if self._nearness:
            empty = empty * (1 - nearness(boxes, frame, cell, self._nearness)) ** 4
        return there, empty

    @staticmethod
    def _generalised_iou(
        output: Mapping[str, torch.Tensor], targets: Targets, cell: int
    ) -> torch.Tensor:
        """(N, h, w); boxes of the same cell are compared, so the seam is nowhere near."""
        said = corners(output["position"], output["size"], cell)
        return generalised_iou(said, corners(targets.position, targets.size, cell))
