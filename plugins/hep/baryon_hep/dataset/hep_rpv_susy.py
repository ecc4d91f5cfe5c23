"""Dataset `hep_rpv_susy`: the public RPV-SUSY files.

Group `all_events` (reported: the files' own README and `eracah/atlas_dl`): `hist`, `histEM`,
`histtrack` (N, 64, 64) with eta in [-2.5, 2.5] as first axis and phi as second; `weight` (N),
expected events in 36 fb^-1; `y` (N), 1 for signal; the physics cuts' flags `passSR4J`,
`passSR5J` and their OR `passSR`; `normalized_weight` in merged files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from baryon.data.hdf5.table import Hdf5Table, has_member
from baryon.interfaces import Dataset
from baryon_hep.dataset import checks
from baryon_hep.dataset.images import (
    Column,
    Files,
    Images,
    add_normalised_weights,
    normalise,
    open_like,
    open_splits,
)

GROUP = "all_events"
CUTS_FLAG = "passSR"
CUTS_REGIONS = ("passSR4J", "passSR5J")
NORMALISED_WEIGHT = "normalized_weight"


class HepRpvSusy(Dataset):
    """Images of the public files, each channel divided by its maximum over `train`.

    The first axis of an image is eta, as stored; the benchmark layout has phi there.

    Parameters
    ----------
    train, val, test
        Files of each split: paths, globs or `pkg://` patterns.
    channels
        Members of the group `all_events` that become the channels.
    channel_max
        Number that each channel is divided by; None: its maximum over `train`.
    check_pixels
        Whether to read every pixel once and require it to be finite.
    augment
        Whether to turn and mirror the training images.

    Raises
    ------
    BaryonError
        For files that do not have this layout, or whose values make no sense.

    """

    def __init__(
        self,
        *,
        train: Files,
        val: Files | None,
        test: Files | None,
        channels: Sequence[str],
        channel_max: Sequence[float] | None,
        check_pixels: bool,
        augment: bool,
    ) -> None:
        self._channels = list(channels)
        self.splits: dict[str, Images] = open_splits(
            self._open, {"train": train, "val": val, "test": test}
        )
        normalise(self.splits, self._channels, channel_max, check_pixels)
        self.splits["train"].augmented = augment
        add_normalised_weights(self.splits)

    def open_input(self, files: Sequence[str]) -> Images:
        """Open events to be scored, in files with the channels and perhaps other members."""
        return open_like(self.splits["train"], self._open_unlabelled, files)

    def _open_unlabelled(self, paths: Sequence[Path]) -> Images:
        # Where the files have them, `predict.keep` may name them to lie beside the scores.
        same_name = ("weight", CUTS_FLAG, NORMALISED_WEIGHT)
        optional = {"label": "y"} | {member: member for member in same_name}
        known = {
            field: member
            for field, member in optional.items()
            if all(has_member(path, f"{GROUP}/{member}") for path in paths)
        }
        table = self._table(paths, known)
        columns = {field: checks.column(table, field) for field in known}
        return Images(table, self._channels, columns, phi_axis=3)

    def _table(self, paths: Sequence[Path], members: Mapping[str, str]) -> Hdf5Table:
        """Open the channels and some other members, by the names of their fields."""
        fields = {channel: channel for channel in self._channels} | dict(members)
        table = Hdf5Table(paths, {field: f"{GROUP}/{member}" for field, member in fields.items()})
        for channel in self._channels:
            checks.images(table, channel, "(N, eta, phi)", rank=2, channels=None)
            checks.same_size(table, channel, self._channels[0])
        return table

    def _open(self, name: str, paths: Sequence[Path]) -> Images:
        optional = [
            flag
            for flag in (CUTS_FLAG, *CUTS_REGIONS)
            if all(has_member(path, f"{GROUP}/{flag}") for path in paths)
        ]
        if checks.in_all_or_none(paths, f"{GROUP}/{NORMALISED_WEIGHT}"):
            optional.append(NORMALISED_WEIGHT)
        table = self._table(
            paths, {"label": "y", "weight": "weight"} | {name: name for name in optional}
        )
        columns = {
            "label": checks.flags(table, "label"),
            "weight": checks.weights(table, "weight"),
            **_cuts(table, optional),
        }
        if NORMALISED_WEIGHT in optional:
            columns["normweight"] = checks.weights(table, NORMALISED_WEIGHT)
        checks.both_classes(name, table, columns)
        return Images(table, self._channels, columns, phi_axis=3)


def _cuts(table: Hdf5Table, optional: Sequence[str]) -> dict[str, Column]:
    """Read the cut flag `psr`: the files' own, or the OR of its two regions, or nothing.

    (The OR is the definition of `passSR`, reported: `scripts/physics_selections.py`.)
    """
    if CUTS_FLAG in optional:
        return {"psr": checks.flags(table, CUTS_FLAG)}
    if set(CUTS_REGIONS) <= set(optional):
        return {"psr": np.maximum(*(checks.flags(table, region) for region in CUTS_REGIONS))}
    return {}
