"""What the splits of a dataset have in common: one frame size, one scale, hidden labels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from baryon.errors import BaryonError
from baryon.terminal.console import say
from baryon_climate.dataset.climatology import climatology
from baryon_climate.dataset.frames import Frames
from baryon_climate.dataset.labels import Labels, keep_share
from baryon_climate.dataset.statistics import Statistics, statistics
from baryon_climate.fields import Channel

TRAIN = "train"


def crop_size(crop: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Return height and width from the option `crop`."""
    if crop is None:
        return None
    if isinstance(crop, int):
        return crop, crop
    if len(crop) != 2:
        raise BaryonError(f"dataset.crop={list(crop)} must be one number of pixels, or two")
    return crop[0], crop[1]


def same_size(splits: Mapping[str, Frames]) -> None:
    """Raise `BaryonError` unless all splits have frames as `train` has."""
    expected = splits[TRAIN].source.shape
    for name, split in splits.items():
        if split.source.shape != expected:
            raise BaryonError(
                f"dataset.{name}: frames of shape {split.source.shape}, but {expected} in "
                "dataset.train: give files of one size"
            )


def same_number_of_boxes(splits: Mapping[str, Frames]) -> None:
    """Give the boxes of all splits as many rows a frame as the fullest frame of any of them has."""
    most = max(split.labels.boxes.shape[1] for split in splits.values())
    for split in splits.values():
        boxes, known = split.labels.boxes, split.labels.known
        unused = np.full((len(boxes), most - boxes.shape[1], 5), -1, np.float32)
        split.labels = Labels(np.concatenate([boxes, unused], axis=1), known)


def unlabel(train: Frames, share: float, seed: int) -> None:
    """Hide the labels of all but a share of the labelled training frames."""
    if share == 1:
        return
    # boxes stay where they are: only `known` says whether the loss may look at them
    known = keep_share(train.labels.known, share, seed)
    say(
        f"dataset.train: {int(known.sum()):,} of {int(train.labels.known.sum()):,} labelled frames "
        f"keep their labels (dataset.labelled_share={share:g})"
    )
    train.labels = Labels(train.labels.boxes, known)


def scale(
    splits: Mapping[str, Frames],
    channels: Sequence[Channel],
    check_values: bool,
    most: int | None,
    anomalies: str | None,
) -> Statistics:
    """Scale all splits by the statistics of `train`, and return these.

    With `check_values` every value of every split is read once and must be a number; else about
    `most` frames of `train` are. `anomalies` names the period of the climatological maps that
    samples bring departures from (`all` or `month`); None: none.
    """
    threads = len(os.sched_getaffinity(0))
    limit = None if check_values else most

    def measure(name: str) -> Statistics:
        return statistics(splits[name].source, channels, f"dataset.{name}", limit, threads)

    of_train = measure(TRAIN)
    for name, split in splits.items():
        if check_values and name != TRAIN:
            measure(name)
        split.scaling, split.channels = of_train.scaling(), channels
    if anomalies is not None:
        maps = climatology(splits[TRAIN], channels, anomalies, limit, threads)
        for name, split in splits.items():
            maps.require(name, split)
            split.climatology = maps
    return of_train
