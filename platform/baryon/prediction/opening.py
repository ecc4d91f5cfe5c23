"""The files to predict, opened as the run's own dataset opens its files."""

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
    """A split of these files or globs.

    Raises `BaryonError` if they cannot be read, hold nothing, or are of another shape than what
    the run's model takes.
    """
    with following_links(config.data.follow_links):
        split = dataset.open_input(files)
        if split is None:
            split = _as_test_split(files, config, plugins)
    shown = ", ".join(files)
    if len(split) == 0:
        raise BaryonError(f"input={shown} holds no samples: give other files")
    expected, found = (one.fields["inputs"] for one in (dataset.splits[TRAIN], split))
    if not _alike(found, expected):
        raise BaryonError(
            f"input={shown} has samples of shape {found.shape}, but the run's model was trained on "
            f"{expected.shape}: give files like its own"
        )
    return split


def _alike(found: Field, expected: Field) -> bool:
    """As many axes and channels; a model may take larger frames than it was trained on."""
    axes = len(found.shape), len(expected.shape)
    return axes[0] == axes[1] and found.shape[:1] == expected.shape[:1]


def _as_test_split(files: Sequence[str], config: Config, plugins: Plugins) -> Split:
    """Of a dataset that only knows its own splits, which have labels."""
    choice = config.choices["dataset"]
    if TEST not in choice.arguments:
        raise BaryonError(
            f"dataset {choice.name!r} opens no other files: it has neither `open_input` nor an "
            f"option {TEST!r}"
        )
    given = files[0] if len(files) == 1 else list(files)
    other = replace(choice, arguments={**choice.arguments, TEST: given})
    splits = build_dataset(replace(config, choices={**config.choices, "dataset": other}), plugins)
    for name, split in splits.splits.items():
        if name != TEST:
            split.close()
    return splits.splits[TEST]
