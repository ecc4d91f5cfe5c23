"""What each step took is known, and no sample is lost or repeated, whenever a run was killed."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baryon import interfaces
from baryon.data.ledger import Ledger
from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon.errors import BaryonError
from baryon.interfaces import DataShard, Field

worlds = st.tuples(st.integers(1, 3), st.integers(1, 3))


class Split(interfaces.Split):
    fields = {"inputs": Field((), "int64")}  # noqa: RUF012

    def __init__(self, rows, chunk):
        self.rows, self.chunk = rows, chunk

    def __len__(self):
        return self.rows

    def chunk_starts(self):
        return range(0, self.rows, self.chunk)

    def read(self, start, stop):
        return {"inputs": np.arange(start, stop)}

    def fingerprint(self):
        return "toy"


def loader(rows=60, chunk=7, *, batch=8, window=3, seed=1) -> Loader:
    settings = Loading(
        batch_size=batch,
        window_mib=window * chunk * 8 / 2**20,
        prefetch=2,
        seed=seed,
        threads=2,
        device=torch.device("cpu"),
    )
    return Loader(Split(rows, chunk), settings)


class Run:
    """A training that only notes what its weights have seen: a checkpoint holds that note."""

    def __init__(self, make, checkpoint, world) -> None:
        self.loader = make()
        self.ledger = Ledger(self.loader, {"train": "as it was"})
        self.seen, self.step, self.world = [], 0, world
        if checkpoint is not None:
            self.ledger.load_state_dict(checkpoint["ledger"])
            self.seen, self.step = list(checkpoint["seen"]), checkpoint["ledger"]["step"]

    def train(self, steps):
        """As the training loop does: every worker draws its part of one step after the other."""
        groups, members = self.world
        end = self.step + steps
        while self.step < end:
            epoch, first = self.ledger.position(self.step)
            self.ledger.begin(self.step, DataShard(0, groups, 0, members))
            shards = [
                DataShard(g, groups, m, members) for g in range(groups) for m in range(members)
            ]
            workers = [self.loader.shuffled(epoch, first, shard) for shard in shards]
            for parts in zip(*workers, strict=True):
                self.seen.append([part["keys"].tolist() for part in parts])
                self.step += 1
                if self.step == end:
                    break
            for worker in workers:
                worker.close()

    def checkpoint(self):
        return {"ledger": self.ledger.state_dict(self.step), "seen": list(self.seen)}


@given(
    rows=st.integers(1, 60),
    chunk=st.integers(1, 20),
    batch=st.integers(1, 24),
    window=st.integers(1, 4),
    lives=st.lists(st.tuples(worlds, st.integers(0, 9), st.integers(0, 5)), max_size=5),
    last=worlds,
)
@settings(max_examples=40)
def test_ledger_loses_and_repeats_no_sample_over_resumes(rows, chunk, batch, window, lives, last):
    """Each life trains to a checkpoint, goes on for some steps, and is killed: these are lost."""

    def make():
        return loader(rows, chunk, batch=batch, window=window)

    checkpoint = None
    for world, saved, lost in lives:
        run = Run(make, checkpoint, world)
        run.train(saved)
        checkpoint = run.checkpoint()
        run.train(lost)
    run = Run(make, checkpoint, last)
    per_epoch = run.loader.batches_per_epoch()
    run.train(-run.step % per_epoch or per_epoch)

    for epoch in range(run.step // per_epoch):
        steps = run.seen[epoch * per_epoch : (epoch + 1) * per_epoch]
        rows_seen = [row for step in steps for part in step for row in part]
        assert sorted(rows_seen) == list(range(rows))
        sizes = [sum(map(len, parts)) for parts in steps]
        assert max(sizes) - min(sizes) <= 1
    for step, parts in enumerate(run.seen):
        assert [rows.tolist() for rows in run.ledger.parts(step).values()] == parts
        assert sorted(run.ledger.batch(step)) == sorted(row for part in parts for row in part)


def test_ledger_batch_is_independent_of_workers():
    def batches(world):
        run = Run(loader, None, world)
        run.train(20)
        return [sorted(row for part in step for row in part) for step in run.seen]

    assert batches((1, 1)) == batches((2, 1)) == batches((1, 3)) == batches((3, 2))


def test_ledger_resume_on_same_workers_adds_no_span():
    run = Run(loader, None, (1, 2))
    run.train(11)
    again = Run(loader, run.checkpoint(), (1, 2))
    again.train(9)
    assert len(again.ledger.worker_spans) == 1
    other = Run(loader, again.checkpoint(), (2, 2))
    other.train(1)
    assert [(s.first_step, s.groups) for s in other.ledger.worker_spans] == [(0, 1), (20, 2)]


def test_ledger_refuses_changed_data():
    saved = Ledger(loader(), {"train": "1f", "val": "aa"}).state_dict(3)
    with pytest.raises(BaryonError, match=r"dataset\.val changed since the checkpoint .* was aa"):
        Ledger(loader(), {"train": "1f", "val": "bb"}).load_state_dict(saved)
    with pytest.raises(BaryonError, match=r"dataset\.val changed .* now it is None"):
        Ledger(loader(), {"train": "1f"}).load_state_dict(saved)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"seed": 2}, "seed was 1, now it is 2"),
        ({"batch": 9}, "batch_size was 8, now it is 9"),
        ({"window": 2}, "window was 3, now it is 2"),
        ({"rows": 61}, "samples was 60, now it is 61"),
    ],
)
def test_ledger_refuses_other_order(changes, key):
    saved = Ledger(loader(), {}).state_dict(3)
    with pytest.raises(BaryonError, match=f"checkpoint's order of samples: {key}"):
        Ledger(loader(**changes), {}).load_state_dict(saved)


def test_ledger_refuses_other_sampling_version(monkeypatch):
    saved = Ledger(loader(), {}).state_dict(3)
    monkeypatch.setattr("baryon.data.sampling.VERSION", 3)
    with pytest.raises(BaryonError, match="order was 2, now it is 3"):
        Ledger(loader(), {}).load_state_dict(saved)


def test_ledger_lists_many_workers_in_time():
    """Each worker's part costs the same however many there are."""
    ledger = Ledger(loader(), {})
    ledger.begin(0, DataShard(0, 2**8, 0, 2**8))
    parts = ledger.parts(0)
    assert len(parts) == 2**16
    assert sorted(row for part in parts.values() for row in part) == sorted(ledger.batch(0))
