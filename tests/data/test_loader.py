import json
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baryon import interfaces
from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon.errors import BaryonError
from baryon.interfaces import DataShard, Field


class Numbers(interfaces.Split):
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

    def fingerprint(self):
        return "toy"


def shards(groups: int, members: int) -> list[DataShard]:
    return [DataShard(g, groups, m, members) for g in range(groups) for m in range(members)]


def loading(**changes) -> Loading:
    settings = {"batch_size": 7, "window_mib": 1, "prefetch": 2, "seed": 1, "threads": 2}
    return Loading(**settings | {"device": torch.device("cpu")} | changes)


@given(
    rows=st.integers(1, 120),
    chunk=st.integers(1, 30),
    batch=st.integers(1, 40),
    groups=st.integers(1, 3),
    members=st.integers(1, 3),
    window=st.sampled_from([1e-4, 1e-3, 1]),
)
def test_loader_workers_get_every_sample_once(rows, chunk, batch, groups, members, window):
    seen = []
    for shard in shards(groups, members):
        loader = Loader(Numbers(rows, chunk), loading(batch_size=batch, window_mib=window))
        for given_batch in loader.shuffled(3, shard=shard):
            assert given_batch["inputs"][:, 0].tolist() == given_batch["keys"].tolist()
            assert given_batch["inputs"][:, 1].tolist() == (10 * given_batch["keys"]).tolist()
            assert given_batch["label"].tolist() == given_batch["keys"].tolist()
            seen += given_batch["keys"].tolist()
    assert sorted(seen) == list(range(rows))


def test_loader_batch_is_independent_of_workers():
    def batches(groups, members):
        loaders = [
            Loader(Numbers(100, 10), loading()).shuffled(0, shard=shard)
            for shard in shards(groups, members)
        ]
        return [
            sorted(key for part in parts for key in part["keys"].tolist())
            for parts in zip(*loaders, strict=True)
        ]

    assert batches(1, 1) == batches(1, 2) == batches(3, 1) == batches(2, 2)


def keys(batches) -> list[list[int]]:
    return [batch["keys"].tolist() for batch in batches]


def test_in_order_gives_each_worker_contiguous_rows():
    parts = [keys(Loader(Numbers(8, 4), loading()).in_order(shard)) for shard in shards(1, 3)]
    assert parts == [[[0, 1, 2]], [[3, 4, 5]], [[6, 7]]]
    few = [keys(Loader(Numbers(2, 4), loading()).in_order(shard)) for shard in shards(1, 3)]
    assert few == [[[0]], [[1]], []]


def test_shuffled_starts_at_first_batch():
    loader = Loader(Numbers(100, 10), loading())
    whole = [batch["keys"].tolist() for batch in loader.shuffled(2)]
    rest = [batch["keys"].tolist() for batch in loader.shuffled(2, first_batch=5)]
    assert rest == whole[5:]


def test_loader_reads_each_chunk_once():
    split = Numbers(400, 10)
    bytes_a_sample = 2 * 4 + 8
    settings = loading(window_mib=4 * 10 * bytes_a_sample / 2**20)
    assert sum(len(batch["keys"]) for batch in Loader(split, settings).shuffled(0)) == 400
    assert split.reads == 40


def test_in_order_follows_the_files():
    batches = Loader(Numbers(20, 6), loading()).in_order()
    assert [key for batch in batches for key in batch["keys"].tolist()] == list(range(20))


def test_loader_raises_error_of_read():
    split = Numbers(50, 10)

    def fail(start, stop):
        raise BaryonError("this file is damaged")

    split.read = fail
    with pytest.raises(BaryonError, match="damaged"):
        list(Loader(split, loading()).shuffled(0))


@pytest.mark.parametrize("augmented", [False, True])
def test_loader_close_stops_threads(augmented):
    split = Numbers(5000, 10)
    if augmented:
        split.augment = lambda arrays, random: arrays
    batches = Loader(split, loading()).shuffled(0)
    next(batches)
    assert any(thread.name == "baryon-input" for thread in threading.enumerate())
    batches.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("baryon-")]


@given(
    rows=st.integers(20, 150),
    chunk=st.integers(1, 20),
    batch=st.integers(1, 40),
    window=st.integers(1, 6),
    threads=st.integers(1, 3),
    members=st.integers(1, 3),
)
@settings(max_examples=40)
def test_loader_memory_stays_below_max_bytes(rows, chunk, batch, window, threads, members):
    """Every array that the split gave out and that is still alive counts, beside the batches."""
    split = Counted(rows, chunk)
    mib = window * chunk * Counted.bytes_a_sample / 2**20
    loader = Loader(split, loading(batch_size=batch, window_mib=mib, threads=threads))
    shard = shards(1, members)[0]
    batch_bytes = -(-batch // members) * Counted.bytes_a_sample
    for _ in loader.shuffled(0, shard=shard):
        assert split.alive + batch_bytes <= loader.max_bytes(shard)


class Counted(Numbers):
    """Counts the bytes of what it read that is still held by anybody."""

    parallel_reads = True
    bytes_a_sample = 2 * 4 + 8

    def __init__(self, rows, chunk):
        super().__init__(rows, chunk)
        self._held, self._lock = {}, threading.Lock()

    @property
    def alive(self):
        with self._lock:
            return sum(self._held.values())

    def read(self, start, stop):
        arrays = super().read(start, stop)
        number = object()
        with self._lock:
            self._held[number] = sum(array.nbytes for array in arrays.values())
        weakref.finalize(arrays["inputs"], self._forget, number)
        return arrays

    def _forget(self, number):
        with self._lock:
            del self._held[number]


def test_process_memory_is_bounded_for_large_file(tmp_path):
    """64 MiB of samples; max_bytes says 22 MiB; the process grows by no more (plus slack)."""
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(tmp_path / "a.h5")], check=True, capture_output=True
    )
    read, bound, growth = json.loads(done.stdout)
    assert read == 64 * 2**20
    assert bound < 24 * 2**20
    assert growth < bound + 8 * 2**20


GROWTH = """
import json, resource, sys, zlib
from pathlib import Path
import h5py, numpy as np, torch
from baryon.data.hdf5.table import Hdf5Table
from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon import interfaces
from baryon.interfaces import Field

class Split(interfaces.Split):
    parallel_reads = True
    fields = {"inputs": Field((4096,), "float32")}
    def __init__(self, path):
        self.table = Hdf5Table([path], {"x": "x"})
    def __len__(self):
        return len(self.table)
    def chunk_starts(self):
        return self.table.chunk_starts("x")
    def read(self, start, stop):
        return {"inputs": self.table.read("x", start, stop)}
    def fingerprint(self):
        return "toy"

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

with h5py.File(sys.argv[1], "w") as file:
    stored = file.create_dataset("x", (4096, 4096), "f4", chunks=(64, 4096), compression="gzip")
    chunk = zlib.compress(np.arange(64, dtype="f4").repeat(4096).tobytes(), 1)
    for start in range(0, 4096, 64):  # the same chunk again and again: compressed once
        stored.id.write_direct_chunk((start, 0), chunk)
loading = Loading(batch_size=16, window_mib=8, prefetch=4, seed=1, threads=2,
                  device=torch.device("cpu"))
loader = Loader(Split(Path(sys.argv[1])), loading)
next(loader.in_order()).clear()  # libraries are loaded, threads were started
before = peak()
read = sum(batch["inputs"].nbytes for batch in loader.shuffled(0))
print(json.dumps([read, loader.max_bytes(), peak() - before]))
"""


def test_loader_reads_serial_split_with_one_thread():
    class Strict(Numbers):
        busy = False

        def read(self, start, stop):
            assert not self.busy
            self.busy = True
            time.sleep(0.001)
            self.busy = False
            return super().read(start, stop)

    assert len(keys(Loader(Strict(200, 5), loading(threads=4)).shuffled(0))) == 29


def test_loader_decodes_in_parallel():
    meeting = threading.Barrier(3)

    class Waiting(Numbers):
        parallel_reads = True

        def read(self, start, stop):
            meeting.wait(timeout=10)
            return super().read(start, stop)

    assert len(keys(Loader(Waiting(120, 5), loading(threads=3)).shuffled(0))) == 18


def test_describe_is_for_one_group():
    loader = Loader(Numbers(64 * 100, 64), loading(batch_size=32, window_mib=0.06))
    assert loader.window == 61
    line = loader.describe()
    assert line.startswith("1 thread decoding, at most ")
    assert "iB held; shuffling quality: effective batch size " in line
    assert " of 32 in the worst case" in line
    assert line.endswith("61 chunks (3,904 samples) mixed")
    of_a_group = loader.describe(DataShard(group=1, num_groups=4))
    assert " of 8 in the worst case" in of_a_group
    assert of_a_group.endswith("15 chunks (960 samples) mixed")


def test_loader_augments_in_parallel():
    meeting = threading.Barrier(3)

    class Waiting(Numbers):
        parallel_reads = True

        def augment(self, arrays, random):
            meeting.wait(timeout=10)
            return arrays

    assert len(keys(Loader(Waiting(120, 5), loading(batch_size=10, threads=3)).shuffled(0))) == 12


def test_worker_decodes_little_more_than_its_part():
    """Of 128 chunks in a window, 8 workers with batches of 512 together."""
    reads = []
    for shard in shards(1, 8):
        split = Numbers(128 * 64, 64)
        for _ in Loader(split, loading(batch_size=512, window_mib=64)).shuffled(0, shard=shard):
            pass
        reads.append(split.reads)
    assert max(reads) < 128 / 3
    assert sum(reads) < 2 * 128


def test_augmentation_is_repeated_after_resume():
    class Noisy(Numbers):
        def augment(self, arrays, random):
            return {**arrays, "inputs": arrays["inputs"] + random.random(2, dtype=np.float32)}

    def inputs(epoch, first):
        batches = Loader(Noisy(50, 10), loading()).shuffled(epoch, first)
        return [batch["inputs"].tolist() for batch in batches]

    assert inputs(0, 3) == inputs(0, 0)[3:]
    assert inputs(0, 0) != inputs(1, 0)
    alone = inputs(0, 0)
    Noisy.parallel_reads = True
    assert inputs(0, 0) == alone
    in_order = next(Loader(Noisy(50, 10), loading()).in_order())
    assert in_order["inputs"][:, 0].tolist() == in_order["keys"].tolist()


class Frames(interfaces.Split):
    """A split of wide samples, each a chunk; notes where those that it made lie."""

    fields = {"inputs": Field((64, 64), "float32"), "label": Field((), "int64")}  # noqa: RUF012
    parallel_reads = True

    def __init__(self, own: np.ndarray | None = None) -> None:
        self.own, self.made = own, set[int]()

    def __len__(self) -> int:
        return 6

    def chunk_starts(self) -> Sequence[int]:
        return range(6)

    def read(self, start, stop):
        rows = np.arange(start, stop)
        if self.own is not None:
            return {"inputs": self.own[start:stop], "label": rows}
        inputs = np.full((stop - start, 64, 64), start, np.float32)
        self.made.add(inputs.ctypes.data)
        return {"inputs": inputs, "label": rows}

    def fingerprint(self):
        return "toy"


def test_chunk_that_is_a_whole_batch_is_not_copied():
    split = Frames()
    kept = list(Loader(split, loading(batch_size=1)).shuffled(0))
    assert {batch["inputs"].data_ptr() for batch in kept} == split.made
    for batch in kept:
        assert batch["inputs"].shape == (1, 64, 64)
        assert (batch["inputs"] == batch["keys"]).all()
        assert batch["label"].tolist() == batch["keys"].tolist()
    for batch in Loader(split, loading(batch_size=2)).shuffled(0):
        assert batch["inputs"].data_ptr() not in split.made


def test_batch_never_shares_the_splits_memory():
    own = np.zeros((6, 64, 64), np.float32)
    for batch in Loader(Frames(own), loading(batch_size=1)).shuffled(0):
        batch["inputs"].fill_(1)
    assert not own.any()
