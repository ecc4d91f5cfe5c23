"""Folds: what belongs together stays together, wherever it is stored, and nothing leaks."""

import numpy as np
import pytest
import torch

from baryon.data.folds.dataset import FoldedDataset, fold_numbers, sample_keys
from baryon.data.loader import Loader, Loading
from baryon.errors import BaryonError
from baryon.interfaces import Dataset, Field, Split


class Showers(Split):
    """Showers that come several times, a little different, with labels of pure chance."""

    def __init__(self, shower, label, seed, *, keyed=True):
        random = np.random.default_rng(seed)
        truth = np.random.default_rng(0).normal(size=(10_000, 6))
        noise = random.normal(0, 0.01, (len(shower), 6))
        self.columns = {
            "inputs": (truth[shower] + noise).astype("float32"),
            "label": label.astype("int64"),
            "shower": shower.astype("int64"),
        }
        self.keyed = keyed

    fields = {  # noqa: RUF012
        "inputs": Field((6,), "float32"),
        "label": Field((), "int64"),
        "shower": Field((), "int64"),
    }

    def __len__(self):
        return len(self.columns["label"])

    def chunk_starts(self):
        return range(0, len(self), 7)

    def read(self, start, stop):
        return {name: column[start:stop] for name, column in self.columns.items()}

    def fold_keys(self):
        return self.columns["shower"] if self.keyed else None

    def classes(self):
        return {"signal": self.columns["label"] == 1}

    def fingerprint(self):
        return "showers"


class Data(Dataset):
    def __init__(self, **splits):
        self.splits = splits


def showers(count=400, copies=2, *, keyed=True):
    """Each shower in `copies` of the splits or chunks, with the label that chance gave it."""
    random = np.random.default_rng(5)
    label_of = random.integers(0, 2, count)
    shower = random.permutation(np.repeat(np.arange(count), copies))
    cuts = np.split(shower, [len(shower) // 2, 3 * len(shower) // 4])
    parts = dict(zip(("val", "train", "test"), cuts, strict=True))
    return Data(
        **{
            name: Showers(part, label_of[part], seed, keyed=keyed)
            for seed, (name, part) in enumerate(parts.items())
        }
    )


def all_of(split):
    return split.read(0, len(split))


def merged_area(folds, *, keyed):
    """Area of the scores of a memoriser, the nearest neighbour, merged over all folds."""
    scores, labels = [], []
    for fold in range(folds):
        dataset = FoldedDataset(showers(keyed=keyed), folds, fold)
        learnt, judged = all_of(dataset.splits["train"]), all_of(dataset.splits["test"])
        distance = np.linalg.norm(judged["inputs"][:, None] - learnt["inputs"], axis=2)
        scores.append(learnt["label"][distance.argmin(axis=1)])
        labels.append(judged["label"])
    score, label = np.concatenate(scores), np.concatenate(labels)
    signal, background = score[label == 1], score[label == 0]
    above = (signal[:, None] > background).mean() + (signal[:, None] == background).mean() / 2
    # Of the rank sum (Mann and Whitney 1947); twins are one draw, so showers are counted.
    many, others = len(signal) / 2, len(background) / 2
    return above, np.sqrt((many + others + 1) / (12 * many * others))


def test_of_labels_by_chance_a_memoriser_learns_nothing_about_the_other_folds():
    area, error = merged_area(4, keyed=True)
    assert abs(area - 0.5) < 2 * error


def test_without_the_key_the_twins_of_showers_leak():
    area, error = merged_area(4, keyed=False)
    assert area > 0.5 + 5 * error


def test_every_sample_is_judged_once_and_no_shower_stands_in_two_folds():
    judged = []
    for fold in range(5):
        splits = FoldedDataset(showers(), 5, fold).splits
        groups = {name: set(all_of(split)["shower"].tolist()) for name, split in splits.items()}
        assert not groups["train"] & groups["val"]
        assert not groups["train"] & groups["test"]
        assert not groups["val"] & groups["test"]
        assert len(groups["train"] | groups["val"] | groups["test"]) == 400
        judged += all_of(splits["test"])["inputs"].tolist()
    whole = [row for s in showers().splits.values() for row in s.columns["inputs"].tolist()]
    assert sorted(judged) == sorted(whole)


def test_the_fold_follows_from_the_key_alone():
    keys = np.array([[1, 17], [0, 17], [1, 2**62 + 1]])
    numbers = fold_numbers(keys, 5)
    assert numbers.tolist() == fold_numbers(keys, 5).tolist()
    assert fold_numbers(keys[::-1], 5).tolist() == numbers[::-1].tolist()
    assert fold_numbers(keys.astype("uint64"), 5).tolist() == numbers.tolist()
    # The first number of SplitMix64 that starts from 0, as its authors publish it.
    assert fold_numbers(np.array([0]), 1000).tolist() == [0xE220A8397B1DCDAF % 1000]
    many = np.bincount(fold_numbers(np.arange(50_000), 5))
    assert many.min() > 9_700


def test_samples_without_a_key_stand_with_their_equals():
    class Plain(Showers):
        def fold_keys(self):
            return None

    split = Plain(np.arange(40), np.arange(40) % 2, 1)
    split.columns["inputs"][30:] = split.columns["inputs"][:10]
    keys = sample_keys(split)
    assert keys[30:].tolist() == keys[:10].tolist()
    assert len(set(keys.tolist())) == 30


def test_rows_are_read_whole_and_in_order_by_the_loader_too():
    dataset = FoldedDataset(showers(60, 1), 3, 1)
    split = dataset.splits["train"]
    cpu = torch.device("cpu")
    how = Loading(batch_size=8, window_mib=1, prefetch=2, seed=1, threads=2, device=cpu)
    loader = Loader(split, how)
    batches = [batch["shower"] for batch in loader.in_order()]
    expected = np.concatenate([s.columns["shower"] for s in dataset.pool.splits.values()])
    assert np.concatenate(batches).tolist() == expected[split.rows].tolist()
    assert split.read(3, 11)["shower"].tolist() == expected[split.rows[3:11]].tolist()
    assert split.raw(3, 11).tolist() == split.read(3, 11)["inputs"].tolist()


def test_a_fold_without_signal_is_refused_before_any_training():
    data = showers(30, 1)
    for split in data.splits.values():
        split.columns["label"][:] = 0
    data.splits["val"].columns["label"][0] = 1
    with pytest.raises(BaryonError, match=r"train.folds=3: fold \d has no signal, of which there"):
        FoldedDataset(data, 3, 0)


def test_a_fold_without_samples_is_refused():
    with pytest.raises(BaryonError, match=r"fold \d+ has no samples, of which there are 30 in all"):
        FoldedDataset(showers(30, 1), 100, 0)


def test_splits_that_cannot_be_joined_are_refused():
    data = showers()
    data.splits["val"].fields = {**Showers.fields, "label": Field((), "int32")}
    with pytest.raises(BaryonError, match=r"'label' is int32 \(\) in split 'val' and int64 \(\)"):
        FoldedDataset(data, 3, 0)


def test_a_key_that_is_none_is_refused():
    class Wrong(Showers):
        def fold_keys(self):
            return np.zeros(3)

    split = Wrong(np.arange(40), np.arange(40) % 2, 1)
    with pytest.raises(BaryonError, match=r"fold_keys\(\) gives float64 \(3,\), but there are 40"):
        sample_keys(split)
