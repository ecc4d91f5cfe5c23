"""Open the files to predict as the run's own dataset opens its files.

The dataset must be there, for only it knows how the training data was normalised: a run's training
files are needed to predict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from baryon.config.config import Config
from baryon.data.hdf5.links import following_links
from baryon.errors import BaryonError
from baryon.interfaces import Dataset, Field, Split
from baryon.plugins.registry import Plugins
from baryon.training.build import TEST, TRAIN, build_dataset


def open_input(dataset: Dataset, files: Sequence[str], config: Config, plugins: Plugins) -> Split:
    """Open files or glob patterns as a split.

    Raises
    ------
    BaryonError
        If the files cannot be read, hold no samples, or have samples of another shape than the
        run's model takes.

    """
    with following_links(config.data.follow_links):
        split = dataset.open_input(files)
        if split is None:
            split = _as_test_split(files, config, plugins)
    shown = ", ".join(files)
    if len(split) == 0:
        raise BaryonError(f"input={shown} holds no samples: give other files")
    expected, actual = dataset.splits[TRAIN].fields["inputs"], split.fields["inputs"]
    if not _suits(actual, expected):
        raise BaryonError(
            f"input={shown} has samples of shape {actual.shape}, but the run's model was trained "
            f"on {expected.shape}: give files like its own"
        )
    return split


def _suits(actual: Field, expected: Field) -> bool:
    # Only axes and channels: a model may take larger frames than it was trained on.
    same_axes = len(actual.shape) == len(expected.shape)
    return same_axes and actual.shape[:1] == expected.shape[:1]


def _as_test_split(files: Sequence[str], config: Config, plugins: Plugins) -> Split:
    """Open files with a dataset that only knows its own splits, which have labels."""
    choice = config.choices["dataset"]
    if TEST not in choice.arguments:
        raise BaryonError(
            f"dataset {choice.name!r} opens no other files: it has neither `open_input` nor an "
            f"option {TEST!r}"
        )
    paths = files[0] if len(files) == 1 else list(files)
    changed = replace(choice, arguments={**choice.arguments, TEST: paths})
    choices = {**config.choices, "dataset": changed}
    # The files to predict are no part of the folds that the run has learnt from.
    whole = replace(config.train, folds=None, fold=None)
    dataset = build_dataset(replace(config, choices=choices, train=whole), plugins)
    for name, split in dataset.splits.items():
        if name != TEST:
            split.close()
    return dataset.splits[TEST]
