import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from baryon.data.sampling import batch_bounds, batches_per_epoch, part_of, shuffled_order
from baryon.interfaces import DataShard


@given(
    rows=st.integers(1, 300),
    chunk=st.integers(1, 40),
    window=st.integers(1, 20),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 5),
)
def test_shuffled_visits_every_sample_once(rows, chunk, window, seed, epoch):
    order = shuffled_order(range(0, rows, chunk), rows, window, seed, epoch).rows
    assert sorted(order) == list(range(rows))


@given(samples=st.integers(1, 5000), size=st.integers(1, 600))
def test_batch_sizes_differ_by_one_sample_at_most(samples, size):
    batches = batches_per_epoch(samples, size)
    bounds = [batch_bounds(number, samples, size) for number in range(batches)]
    assert [start for start, _ in bounds] == [0, *(stop for _, stop in bounds[:-1])]
    assert bounds[-1][1] == samples
    sizes = [stop - start for start, stop in bounds]
    assert sizes[0] == max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1
    assert batches == -(-samples // size)  # no more steps than full batches would take


def test_leftover_sample_makes_no_batch_of_its_own():
    sizes = [stop - start for start, stop in (batch_bounds(n, 2001, 16) for n in range(126))]
    assert {size: sizes.count(size) for size in set(sizes)} == {16: 111, 15: 15}


@given(
    rows=st.integers(1, 300),
    size=st.integers(1, 40),
    groups=st.integers(1, 4),
    members=st.integers(1, 4),
)
def test_parts_of_all_workers_are_the_batch(rows, size, groups, members):
    order = shuffled_order(range(0, rows, 7), rows, 3, seed=1, epoch=0)
    shards = [DataShard(g, groups, m, members) for g in range(groups) for m in range(members)]
    sizes = {shard: set() for shard in shards}
    for number in range(batches_per_epoch(rows, size)):
        parts = {shard: order.part(number, size, shard) for shard in shards}
        assert sorted(np.concatenate(list(parts.values()))) == sorted(order.batch(number, size))
        for shard, part in parts.items():
            sizes[shard].add(len(part))
    # A compiled step is of one shape: a worker needs two at most.
    assert all(max(found) - min(found) <= 1 for found in sizes.values())


def test_order_is_determined_by_seed_and_epoch():
    def order(seed, epoch):
        return shuffled_order(range(0, 200, 10), 200, 4, seed, epoch).rows.tolist()

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_window_touches_only_its_own_chunks():
    order = shuffled_order(range(0, 200, 10), 200, window=4, seed=1, epoch=0).rows
    for first in range(0, 200, 40):
        assert len(set(order[first : first + 40] // 10)) == 4


def test_window_mixes_its_samples():
    order = shuffled_order(range(0, 1000, 10), 1000, window=100, seed=1, epoch=0).rows
    neighbours = np.mean(np.diff(order) == 1)
    assert neighbours < 0.02


@given(size=st.integers(0, 50), parts=st.integers(1, 60))
def test_part_of_equals_array_split(size, parts):
    rows = np.arange(size)
    split = [part_of(rows, DataShard(number, parts, 0, 1)).tolist() for number in range(parts)]
    assert split == [part.tolist() for part in np.array_split(rows, parts)]


@given(size=st.integers(0, 50), groups=st.integers(1, 4), members=st.integers(1, 4))
def test_parts_are_disjoint_and_even(size, groups, members):
    batch = np.arange(size)
    parts = [
        [part_of(batch, DataShard(g, groups, m, members)) for m in range(members)]
        for g in range(groups)
    ]
    assert np.concatenate([np.concatenate(group) for group in parts]).tolist() == batch.tolist()
    of_groups = [sum(map(len, group)) for group in parts]
    assert max(of_groups) - min(of_groups) <= 1
    assert all(max(map(len, group)) - min(map(len, group)) <= 1 for group in parts)
