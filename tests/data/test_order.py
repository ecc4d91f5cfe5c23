import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from baryon.data.order import part_of, shuffled
from baryon.interfaces import Share


@given(
    rows=st.integers(1, 300),
    chunk=st.integers(1, 40),
    window=st.integers(1, 20),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 5),
)
def test_an_epoch_visits_every_sample_once(rows, chunk, window, seed, epoch):
    order = shuffled(range(0, rows, chunk), rows, window, seed, epoch).rows
    assert sorted(order) == list(range(rows))


def test_the_order_follows_from_seed_and_epoch():
    def order(seed, epoch):
        return shuffled(range(0, 200, 10), 200, 4, seed, epoch).rows.tolist()

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_a_window_touches_only_its_own_chunks():
    order = shuffled(range(0, 200, 10), 200, window=4, seed=1, epoch=0).rows
    for first in range(0, 200, 40):
        assert len(set(order[first : first + 40] // 10)) == 4


def test_samples_of_a_window_are_mixed():
    order = shuffled(range(0, 1000, 10), 1000, window=100, seed=1, epoch=0).rows
    neighbours = np.mean(np.diff(order) == 1)
    assert neighbours < 0.02


@given(size=st.integers(0, 50), groups=st.integers(1, 4), members=st.integers(1, 4))
def test_shares_are_disjoint_and_even(size, groups, members):
    batch = np.arange(size)
    parts = [
        [part_of(batch, Share(g, groups, m, members)) for m in range(members)]
        for g in range(groups)
    ]
    assert np.concatenate([np.concatenate(group) for group in parts]).tolist() == batch.tolist()
    of_groups = [sum(map(len, group)) for group in parts]
    assert max(of_groups) - min(of_groups) <= 1
    assert all(max(map(len, group)) - min(map(len, group)) <= 1 for group in parts)
