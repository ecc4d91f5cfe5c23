"""Folds of the shipped sample, with the experiment that is meant for a large one."""

import numpy as np
import pytest

from baryon.api.training import compose
from baryon.plugins.registry import checked_plugins
from baryon.training.build import build_dataset

SAMPLE = [
    *(f"dataset.{s}=pkg://baryon_hep/sample/hep_64_{s}.h5" for s in ("train", "val", "test")),
    "dataset.check_pixels=false",
    "dataset.channel_max=[1e6,1e6,10]",
]


def splits(fold):
    config = compose(["experiment=hep_paper", f"train.fold={fold}", *SAMPLE])
    return build_dataset(config, checked_plugins()).splits


@pytest.fixture(scope="module")
def folds():
    """The splits of the first and the second fold of the sample's 5,000 events."""
    return [splits(fold) for fold in (0, 1)]


def event_ids(split):
    return {int(number) for number in split.read(0, len(split))["eid"]}


def test_the_experiment_reads_what_the_generator_writes():
    arguments = compose(["experiment=hep_paper", "train.fold=0"]).choices["dataset"].arguments
    files = {split: arguments[split] for split in ("train", "val", "test")}
    assert files == {split: f"data/hep_paper/hep_64_{split}.h5" for split in files}


def test_a_fold_is_a_fifth_of_all_events_and_the_next_one_is_validated_on(folds):
    first, second = folds
    assert sum(map(len, first.values())) == 5000
    assert len(first["test"]) == pytest.approx(1000, abs=120)
    assert first["val"].rows.tolist() == second["test"].rows.tolist()
    assert not event_ids(first["test"]) & event_ids(second["test"])
    for split in first.values():
        label = split.read(0, len(split))["label"]
        assert label.mean() == pytest.approx(0.5, abs=0.06)


def test_training_events_of_every_file_are_augmented(folds):
    train = folds[0]["train"]
    rows = np.array([0, len(train) - 1])  # of the training file and of the test file
    batch = {name: np.stack([train.read(r, r + 1)[name][0] for r in rows]) for name in train.fields}
    changed = train.augment({**batch, "keys": rows}, np.random.default_rng(3))
    assert changed["keys"].tolist() == rows.tolist()
    for before, after in zip(batch["inputs"], changed["inputs"], strict=True):
        assert not np.array_equal(before, after)
        assert np.array_equal(np.sort(before, axis=None), np.sort(after, axis=None))
