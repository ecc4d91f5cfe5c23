"""Choose the few events whose images are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from baryon.interfaces import Batch

Images: TypeAlias = Mapping[int, NDArray[np.float32]]
"""Energy channel (H, W) of events, by their row in the split."""

ENERGY = 0
"""The channel of the total calorimeter energy (reported)."""


@dataclass
class Examples:
    """The events of each class that come first in the split."""

    # The first ones: which they are then depends neither on ranks nor on the order of batches.
    per_class: int
    """How many of each class."""
    images: dict[int, Images] = field(default_factory=lambda: {0: {}, 1: {}})
    """Images by label."""

    def take(self, batch: Batch) -> None:
        """Look through a batch with `inputs` (N, 3, H, W), `label` (N,) and `keys` (N,)."""
        keys, labels = batch["keys"].numpy(), batch["label"].numpy()
        for label in self.images:
            rows = np.flatnonzero(labels == label)
            rows = rows[np.argsort(keys[rows])][: self.per_class]
            energy = batch["inputs"][rows, ENERGY].float().numpy()
            self._add(label, dict(zip(keys[rows].tolist(), energy, strict=True)))

    def merge(self, images: Mapping[int, Images]) -> None:
        """Take in the images of another rank."""
        for label, of_class in images.items():
            self._add(label, of_class)

    def _add(self, label: int, images: Images) -> None:
        joined = {**self.images[label], **images}
        self.images[label] = {key: joined[key] for key in sorted(joined)[: self.per_class]}
