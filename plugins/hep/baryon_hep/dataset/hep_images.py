"""Dataset `hep_images`: the layout of the HEP benchmark files.

Members (reported: `NERSC/hep_cnn_benchmark` README): `data` float32 (N, 3, phi, eta) with the
channels total calorimeter energy, electromagnetic energy and track count; `label` int32 (N) with
1 for signal; `weight` float32 (N), expected events in 36 fb^-1; `normweight`, the same divided by
its maximum over the training set; `psr` int32 (N), 1 if the physics cuts accept the event;
gluino and neutralino mass `mg`, `mn`, pT-hat slice `jz`, event number `eid`. Images, label and
weight must be there; a `normweight` that is not is computed, and without `psr` there is no
comparison with the cuts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from baryon.data.hdf5.table import Hdf5Table, has_member
from baryon.interfaces import Dataset
from baryon_hep.dataset import checks
from baryon_hep.dataset.event_ids import require_distinct
from baryon_hep.dataset.images import (
    Files,
    Images,
    add_normalised_weights,
    normalise,
    open_like,
    open_splits,
)

REQUIRED = ("data", "label", "weight")
CHECKED = {"normweight": checks.weights, "psr": checks.flags}
"""Optional members that say something of every event of a split or of none."""
OPTIONAL = ("mg", "mn", "jz", "eid")
CHANNELS = ("channel 0 (energy)", "channel 1 (electromagnetic energy)", "channel 2 (tracks)")


class HepImages(Dataset):
    """Images of the benchmark layout, each channel divided by its maximum over `train`.

    Parameters
    ----------
    train, val, test
        Files of each split: paths, globs or `pkg://` patterns.
    channel_max
        Number that each of the three channels is divided by; None: its maximum over `train`.
    check_pixels
        Whether to read every pixel once and require it to be finite.
    check_event_ids
        Whether to refuse events that come twice.
    augment
        Whether to turn and mirror the training images.

    Raises
    ------
    BaryonError
        For files that do not have this layout, or whose values make no sense.

    """

    generator = "baryon_hep.generation.generate:generate"

    def __init__(
        self,
        *,
        train: Files,
        val: Files | None,
        test: Files | None,
        channel_max: Sequence[float] | None,
        check_pixels: bool,
        check_event_ids: bool,
        augment: bool,
    ) -> None:
        self.splits: dict[str, Images] = open_splits(
            _open, {"train": train, "val": val, "test": test}
        )
        add_normalised_weights(self.splits)
        if check_event_ids:
            require_distinct(self.splits)
        normalise(self.splits, CHANNELS, channel_max, check_pixels)
        self.splits["train"].augmented = augment

    def open_input(self, files: Sequence[str]) -> Images:
        """Open events to be scored, in files with `data` and perhaps other members."""
        return open_like(self.splits["train"], _open_unlabelled, files)


def _open(name: str, paths: Sequence[Path]) -> Images:
    optional = [member for member in OPTIONAL if all(has_member(path, member) for path in paths)]
    checked = [member for member in CHECKED if checks.in_all_or_none(paths, member)]
    table = _table(paths, [*REQUIRED, *checked, *optional])
    columns = {
        "label": checks.flags(table, "label"),
        "weight": checks.weights(table, "weight"),
        **{member: CHECKED[member](table, member) for member in checked},
    }
    checks.both_classes(name, table, columns)
    columns |= {member: checks.column(table, member) for member in optional}
    return Images(table, ["data"], columns, phi_axis=2)


def _open_unlabelled(paths: Sequence[Path]) -> Images:
    known = [
        member
        for member in (*REQUIRED[1:], *CHECKED, *OPTIONAL)
        if all(has_member(path, member) for path in paths)
    ]
    table = _table(paths, ["data", *known])
    columns = {member: checks.column(table, member) for member in known}
    return Images(table, ["data"], columns, phi_axis=2)


def _table(paths: Sequence[Path], members: Sequence[str]) -> Hdf5Table:
    table = Hdf5Table(paths, {member: member for member in members})
    checks.images(table, "data", "(N, 3, phi, eta)", rank=3, channels=len(CHANNELS))
    return table
