"""Stratified batches: how many samples of each stratum every batch and every worker has."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baryon.data.ledger import Ledger
from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon.errors import BaryonError
from baryon.interfaces import DataShard, Field
from baryon.interfaces import Split as BaseSplit

RARE = 1


class Split(BaseSplit):
    """Rows in chunks; `labelled` of them, spread evenly, are of stratum 1."""

    fields = {"inputs": Field((), "int64")}  # noqa: RUF012

    def __init__(self, rows, chunk, labelled):
        self.rows, self.chunk = rows, chunk
        self.rare = np.linspace(0, rows - 1, labelled).astype(int)
        self.reads = Counter()

    def __len__(self):
        return self.rows

    def chunk_starts(self):
        return range(0, self.rows, self.chunk)

    def strata(self):
        return np.isin(np.arange(self.rows), self.rare).astype(np.int8)

    def read(self, start, stop):
        self.reads[start] += 1
        return {"inputs": np.arange(start, stop)}

    def fingerprint(self):
        return "same"


def loader(split, *, batch=8, rare=2, window=3, seed=1):
    loading = Loading(
        batch_size=batch,
        window_mib=2 * window * split.chunk * 8 / 2**20,
        prefetch=2,
        seed=seed,
        threads=2,
        device=torch.device("cpu"),
        stratify={RARE: rare},
    )
    return Loader(split, loading)


def shards(groups, members):
    return [DataShard(g, groups, m, members) for g in range(groups) for m in range(members)]


def epoch_of(reader, epoch, world=(1, 1), first=0):
    """The batches of an epoch, each a list of what its workers took."""
    workers = [reader.shuffled(epoch, first, shard) for shard in shards(*world)]
    return [[part["inputs"].tolist() for part in parts] for parts in zip(*workers, strict=True)]


@given(
    rows=st.integers(4, 70),
    chunk=st.integers(1, 20),
    rare=st.integers(1, 4),
    more=st.integers(1, 9),
    labelled=st.integers(1, 3),
    world=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
@settings(max_examples=40, deadline=None)
def test_every_batch_has_its_number_and_no_sample_of_the_rest_is_lost_or_repeated(
    rows, chunk, rare, more, labelled, world
):
    split = Split(rows, chunk, labelled)
    reader = loader(split, batch=rare + more, rare=rare)
    uses = Counter()
    for epoch in range(3):
        steps = epoch_of(reader, epoch, world)
        assert len(steps) == reader.batches_per_epoch() == -(-(rows - len(split.rare)) // more)
        others = []
        for number, parts in enumerate(steps):
            batch = [row for part in parts for row in part]
            assert len(batch) == reader.samples_of_batch(number)
            counts = [sum(row in split.rare for row in part) for part in parts]
            assert sum(counts) == rare
            for each in (counts, list(map(len, parts))):  # of the groups, and of each's members
                groups = np.array(each).reshape(world)
                assert np.ptp(groups.sum(axis=1)) <= 1
                assert (np.ptp(groups, axis=1) <= 1).all()
            others += [row for row in batch if row not in split.rare]
            uses.update(row for row in batch if row in split.rare)
            used = [uses[row] for row in split.rare]
            assert max(used) - min(used) <= 1  # at any time, also from one epoch to the next
        assert sorted(others) == sorted(set(range(rows)) - set(split.rare.tolist()))


def test_a_resume_on_other_workers_goes_on_at_the_very_sample():
    reader = loader(Split(60, 7, 5))
    whole = [sorted(chain.from_iterable(parts)) for parts in epoch_of(reader, 1)]
    begun = [sorted(chain.from_iterable(parts)) for parts in epoch_of(reader, 1, (1, 2))[:4]]
    later = [sorted(chain.from_iterable(parts)) for parts in epoch_of(reader, 1, (3, 2), first=4)]
    assert begun + later == whole


def test_the_ledger_says_what_each_worker_of_a_step_took():
    reader = loader(Split(60, 7, 5))
    ledger = Ledger(reader, {})
    ledger.begin(0, DataShard(0, 3, 0, 2))
    for step in (0, 4, reader.batches_per_epoch() + 2):
        epoch, number = ledger.position(step)
        parts = epoch_of(reader, epoch, (3, 2))[number]
        assert [rows.tolist() for rows in ledger.parts(step).values()] == parts
        assert sorted(ledger.batch(step)) == sorted(chain.from_iterable(parts))


def test_a_checkpoint_of_other_strata_is_refused():
    saved = Ledger(loader(Split(60, 7, 5)), {}).state_dict(3)
    Ledger(loader(Split(60, 7, 5)), {}).load_state_dict(saved)
    for other in (loader(Split(60, 7, 6)), loader(Split(60, 7, 5), rare=3)):
        with pytest.raises(BaryonError, match="order of samples: strata was"):
            Ledger(other, {}).load_state_dict(saved)
    saved["basis"]["strata"] = ""
    with pytest.raises(BaryonError, match="strata was none, now it is"):
        Ledger(loader(Split(60, 7, 5)), {}).load_state_dict(saved)


class Held(Split):
    """Counts the arrays that it gave and that are still there."""

    fields = {"inputs": Field((512,), "float64")}  # noqa: RUF012

    def read(self, start, stop):
        self.reads[start] += 1
        return {"inputs": np.full((stop - start, 512), float(start))}


def test_a_chunk_is_not_held_from_one_pass_of_its_stratum_to_the_next():
    """The labelled samples come again and again: all their chunks would be in memory for good."""
    split = Held(400, 10, 20)
    reader = loader(split, batch=8, rare=4, window=1)
    reader.loading.__dict__["threads"] = 1
    order = reader.order(0)
    visited = {}
    for number in range(reader.batches_per_epoch()):
        for at in order.positions(number, 8, DataShard()):
            visited.setdefault(int(order.visits[at]), []).append(number)
    longest = max(max(batches) - min(batches) for batches in visited.values())
    assert longest <= 3  # a window holds a chunk: its 9 or 10 others, 4 a batch
    assert len({tuple(epoch) for epoch in visited.values()}) > 1
    assert sum(1 for _ in reader.shuffled(0)) == reader.batches_per_epoch()
    # The chunks of the rest once each; one a pass of each labelled sample.
    assert sum(split.reads.values()) == len(visited)


def test_two_workers_differ_in_the_labelled_samples_they_take():
    parts = epoch_of(loader(Split(60, 7, 12), rare=4), 0, (2, 1))[0]
    rare = [set(part) & set(Split(60, 7, 12).rare.tolist()) for part in parts]
    assert [len(rows) for rows in rare] == [2, 2]
    assert not rare[0] & rare[1]


@pytest.mark.parametrize(
    ("stratify", "problem"),
    [
        ({1: 8}, r"8 samples of strata 1 in every batch, which leaves none of its 8 samples"),
        ({3: 1}, r"no sample is of stratum 3; its 60 samples are of strata 0, 1"),
        ({0: 1, 1: 1}, "names all strata"),
    ],
)
def test_strata_that_cannot_be(stratify, problem):
    reader = loader(Split(60, 7, 5))
    reader.loading.__dict__["stratify"] = stratify
    with pytest.raises(BaryonError, match=problem):
        reader.batches_per_epoch()


def test_a_split_without_strata_or_with_too_few():
    split = Split(60, 7, 5)
    split.strata = lambda: np.zeros(59, int)
    with pytest.raises(BaryonError, match="a whole number for each of its 60 samples"):
        loader(split).batches_per_epoch()
    split.strata = lambda: None
    with pytest.raises(BaryonError, match=r"data\.stratify is set, but the dataset's split"):
        loader(split).batches_per_epoch()
