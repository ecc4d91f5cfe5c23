import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baryon.data.loader import Loader, Loading
from baryon.errors import BaryonError
from baryon.interfaces import Field, Share


class Numbers:
    """A split whose samples are (row, 10 * row); counts its reads."""

    fields = {"inputs": Field((2,), "float32"), "label": Field((), "int64")}  # noqa: RUF012

    def __init__(self, rows: int, chunk: int) -> None:
        self.rows, self.chunk, self.reads = rows, chunk, 0

    def __len__(self) -> int:
        return self.rows

    def chunk_starts(self) -> Sequence[int]:
        return range(0, self.rows, self.chunk)

    def read(self, start, stop):
        self.reads += 1
        rows = np.arange(start, stop)
        inputs = np.stack([rows, 10 * rows], axis=1).astype(np.float32)
        return {"inputs": inputs, "label": rows.astype(np.int64)}


def shares(groups: int, members: int) -> list[Share]:
    return [Share(g, groups, m, members) for g in range(groups) for m in range(members)]


def loading(**changes) -> Loading:
    return Loading(**{"batch_size": 7, "window_mib": 1, "prefetch": 2, "seed": 1} | changes)


@given(
    rows=st.integers(1, 120),
    chunk=st.integers(1, 30),
    batch=st.integers(1, 40),
    groups=st.integers(1, 3),
    members=st.integers(1, 3),
    window=st.sampled_from([1e-4, 1e-3, 1]),
)
def test_workers_together_get_every_sample_once(rows, chunk, batch, groups, members, window):
    seen = []
    settings = loading(batch_size=batch, window_mib=window)
    for share in shares(groups, members):
        for given_batch in Loader(Numbers(rows, chunk), settings).shuffled(3, share=share):
            assert given_batch["inputs"][:, 0].tolist() == given_batch["keys"].tolist()
            assert given_batch["inputs"][:, 1].tolist() == (10 * given_batch["keys"]).tolist()
            assert given_batch["label"].tolist() == given_batch["keys"].tolist()
            seen += given_batch["keys"].tolist()
    assert sorted(seen) == list(range(rows))


def test_a_batch_is_the_same_set_for_any_number_of_workers():
    def batches(groups, members):
        loaders = [
            Loader(Numbers(100, 10), loading()).shuffled(0, share=share)
            for share in shares(groups, members)
        ]
        return [
            sorted(key for part in parts for key in part["keys"].tolist())
            for parts in zip(*loaders, strict=True)
        ]

    assert batches(1, 1) == batches(1, 2) == batches(3, 1) == batches(2, 2)


def test_reading_in_order_leaves_out_what_is_empty():
    parts = [list(Loader(Numbers(8, 4), loading()).in_order(share)) for share in shares(1, 3)]
    assert [len(part) for part in parts] == [2, 1, 1]
    assert sorted(k for part in parts for b in part for k in b["keys"].tolist()) == list(range(8))


def test_an_epoch_can_be_entered_in_the_middle():
    loader = Loader(Numbers(100, 10), loading())
    whole = [batch["keys"].tolist() for batch in loader.shuffled(2)]
    rest = [batch["keys"].tolist() for batch in loader.shuffled(2, first_batch=5)]
    assert rest == whole[5:]


def test_each_chunk_is_read_once_when_the_window_holds_a_few():
    split = Numbers(400, 10)
    bytes_a_sample = 2 * 4 + 8
    settings = loading(window_mib=4 * 10 * bytes_a_sample / 2**20)
    assert sum(len(batch["keys"]) for batch in Loader(split, settings).shuffled(0)) == 400
    assert split.reads == 40


def test_in_order_is_in_order():
    batches = Loader(Numbers(20, 6), loading()).in_order()
    assert [key for batch in batches for key in batch["keys"].tolist()] == list(range(20))


def test_a_failed_read_is_raised_where_batches_are_read():
    split = Numbers(50, 10)

    def fail(start, stop):
        raise BaryonError("this file is damaged")

    split.read = fail
    with pytest.raises(BaryonError, match="damaged"):
        list(Loader(split, loading()).shuffled(0))


def test_leaving_early_ends_the_reading_thread():
    batches = Loader(Numbers(5000, 10), loading()).shuffled(0)
    next(batches)
    batches.close()
    assert not [t for t in threading.enumerate() if t.name == "baryon-input"]


def test_reading_ahead_is_bounded():
    split = Numbers(1000, 10)
    batches = Loader(split, loading(batch_size=10, prefetch=2, window_mib=1e-9)).shuffled(0)
    next(batches)
    threading.Event().wait(0.3)
    assert split.reads <= 5  # the one taken, two waiting, one on its way in, one being read
    batches.close()


def test_augmentation_is_the_same_after_entering_in_the_middle():
    class Noisy(Numbers):
        def augment(self, arrays, random):
            return {**arrays, "inputs": arrays["inputs"] + random.random(2, dtype=np.float32)}

    def inputs(epoch, first):
        batches = Loader(Noisy(50, 10), loading()).shuffled(epoch, first)
        return [batch["inputs"].tolist() for batch in batches]

    assert inputs(0, 3) == inputs(0, 0)[3:]
    assert inputs(0, 0) != inputs(1, 0)
    in_order = next(Loader(Noisy(50, 10), loading()).in_order())
    assert in_order["inputs"][:, 0].tolist() == in_order["keys"].tolist()
