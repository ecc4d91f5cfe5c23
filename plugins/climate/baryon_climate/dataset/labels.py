"""What is known of each frame: its boxes, or that nothing is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError, did_you_mean
from baryon.terminal.console import say, warn
from baryon_climate.classes import CLASSES, SHORT
from baryon_climate.dataset import box_order

LABELLED, UNLABELLED = "labelled", "unlabelled"
REFUSE, DROP = "refuse", "drop"
Place = Callable[[int], str]
Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class LabelOptions:
    """The keys of the dataset that concern boxes."""

    box_order: str
    first_class: int
    """Number of the first class in the files: 0, or 1 in lists made by TECA's readers."""
    empty_frames: str
    bad_boxes: str

    def __post_init__(self) -> None:
        """Raise `BaryonError` for a value that is none of the choices."""
        _require_one("empty_frames", self.empty_frames, (LABELLED, UNLABELLED))
        _require_one("bad_boxes", self.bad_boxes, (REFUSE, DROP))
        if self.box_order != box_order.AUTO:
            box_order.places(self.box_order)
        if self.first_class not in (0, 1):
            raise BaryonError(f"dataset.first_class={self.first_class} must be 0 or 1")


@dataclass(frozen=True)
class Labels:
    """Boxes of all frames of a split, and which of these frames somebody looked at."""

    boxes: npt.NDArray[np.float32]
    """(frames, most, 5): ymin, xmin, ymax, xmax, class; unused rows -1; `most` is at least 1."""
    known: npt.NDArray[np.bool_]
    """(frames,) whether the boxes are all there is to find; False: nobody looked."""


def labels(
    stored: Numbers,
    options: LabelOptions,
    height: int,
    width: int,
    *,
    cyclic: bool,
    place: Place,
    where: str,
) -> Labels:
    """Make labels from the boxes of the files (frames, n, 5).

    Raises `BaryonError` for the first frame with a box that cannot be, unless they are dropped.
    """
    stored = stored.astype(np.float64)  # in float32 a number above 3.4e38 would be infinite
    used = box_order.used(stored)
    order = options.box_order
    if order == box_order.AUTO and used.any():
        order, why = box_order.tell(stored[used], height, width, where)
        say(f"{where}: box columns are {order} ({why})")
    boxes = stored if order == box_order.AUTO else box_order.in_order(stored, order)
    boxes = boxes.copy()
    boxes[..., 4] -= options.first_class
    faults = _faults(boxes, height, width, cyclic=cyclic)
    for fault, wrong in faults.items():
        wrong &= used
        if wrong.any():
            _refuse_or_drop(options, fault, boxes, wrong, place, (height, width))
            used &= ~wrong
    boxes[~used] = -1
    # there is hardly a time without a storm on the globe: a frame without boxes is one that nobody
    # looked at, unless the user says otherwise; the authors did both (reported)
    known = np.asarray(used.any(axis=1) | (options.empty_frames == LABELLED))
    return Labels(_used_first(boxes, used), known)


def unknown(frames: int, most: int) -> Labels:
    """Return the labels of frames that nobody looked at, with `most` unused rows each."""
    return Labels(np.full((frames, most, 5), -1, np.float32), np.zeros(frames, np.bool_))


def _faults(
    boxes: Numbers, height: int, width: int, *, cyclic: bool
) -> dict[str, npt.NDArray[np.bool_]]:
    ymin, xmin, ymax, xmax, kind = np.moveaxis(boxes, -1, 0)
    beyond = xmax > (xmin + width if cyclic else width)
    return {
        "of no finite numbers": ~np.isfinite(boxes).all(axis=-1),
        "of no or negative size": (ymin >= ymax) | (xmin >= xmax),
        "outside the frame": (ymin < 0) | (ymax > height) | (xmin < 0) | (xmin > width) | beyond,
        "of an unknown class": ~np.isin(kind, range(len(CLASSES))),
    }


def _refuse_or_drop(
    options: LabelOptions,
    fault: str,
    boxes: Numbers,
    wrong: npt.NDArray[np.bool_],
    place: Place,
    size: tuple[int, int],
) -> None:
    frame, row = (int(number) for number in np.argwhere(wrong)[0])
    shown = ", ".join(f"{value:g}" for value in boxes[frame, row])
    known = "class" in fault
    hint = f"classes are 0 to 3 ({', '.join(SHORT)}); " if known else ""
    if known and boxes[frame, row, 4] == len(CLASSES):
        hint += "if yours count from 1, give dataset.first_class=1; "
    message = (
        f"{place(frame)}: box {row} is {fault} (ymin, xmin, ymax, xmax, class = {shown} in frames "
        f"of {size[0]} x {size[1]}), one of {int(wrong.sum()):,}; {hint}"
    )
    if options.bad_boxes == REFUSE:
        raise BaryonError(
            message + "repair the file, or leave such boxes out: dataset.bad_boxes=drop"
        )
    warn(message + "left out")


def _used_first(boxes: Numbers, used: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Put the used rows first; there are as many as before, at least one."""
    order = np.argsort(~used, axis=1, kind="stable")
    rows = np.take_along_axis(boxes, order[..., None], axis=1).astype(np.float32)
    return rows if rows.shape[1] else np.full((len(boxes), 1, 5), -1, np.float32)


def keep_share(known: npt.NDArray[np.bool_], share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Return which frames keep their labels: a share of the labelled ones, chosen by the seed.

    A smaller share of the same seed is a part of a larger one.
    """
    if not 0 < share <= 1:
        raise BaryonError(f"dataset.labelled_share={share:g} must be above 0 and at most 1")
    rows = np.flatnonzero(known)
    # the first of one permutation: a smaller share is a part of a larger one
    chosen = np.random.default_rng(seed).permutation(rows)[: max(1, round(share * len(rows)))]
    remaining = np.zeros_like(known)
    remaining[chosen] = True
    return remaining


def _require_one(key: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise BaryonError(f"dataset.{key}={value} is unknown; {did_you_mean(choices, value)}")
