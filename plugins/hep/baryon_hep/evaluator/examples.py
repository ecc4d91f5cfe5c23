"""The few events whose images are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from baryon.interfaces import Batch

Images: TypeAlias = Mapping[int, NDArray[np.float32]]
"""By row in the split: the energy channel (H, W)."""

ENERGY = 0
"""The channel of the total calorimeter energy (reported)."""


@dataclass
class Examples:
    """Of each class the `each` events that come first in the split."""

    each: int
    images: dict[int, Images] = field(default_factory=lambda: {0: {}, 1: {}})
    """By label."""

    def take(self, batch: Batch) -> None:
        """Look through a batch with `inputs` (N, 3, H, W), `label` (N,) and `keys` (N,)."""
        keys, labels = batch["keys"].numpy(), batch["label"].numpy()
        for label in self.images:
            rows = np.flatnonzero(labels == label)
            rows = rows[np.argsort(keys[rows])][: self.each]
            energy = batch["inputs"][rows, ENERGY].float().numpy()
            self._add(label, {int(key): energy[n] for n, key in enumerate(keys[rows])})

    def merge(self, images: Mapping[int, Images]) -> None:
        """Take in another's images."""
        for label, more in images.items():
            self._add(label, more)

    def _add(self, label: int, more: Images) -> None:
        known = {**self.images[label], **more}
        self.images[label] = {key: known[key] for key in sorted(known)[: self.each]}
