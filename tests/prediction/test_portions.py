"""How samples are shared out among the workers that predict."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from baryon.interfaces import DataShard
from baryon.prediction.portions import rounds_of


def _shares(groups: int, members: int) -> list[DataShard]:
    return [DataShard(g, groups, m, members) for g in range(groups) for m in range(members)]


@given(
    sizes=st.lists(st.integers(1, 9), max_size=12),
    size=st.integers(1, 7),
    groups=st.integers(1, 3),
    members=st.integers(1, 3),
)
def test_what_is_gathered_round_by_round_is_all_samples_in_their_order(
    sizes, size, groups, members
):
    bounds = np.cumsum([0, *sizes])
    everyone = [rounds_of(bounds, size, shard) for shard in _shares(groups, members)]
    gathered = [
        row
        for one_round in zip(*everyone, strict=True)
        for batches in one_round
        for batch in batches
        for row in batch.tolist()
    ]
    assert gathered == list(range(sum(sizes)))
    assert all(
        0 < len(batch) <= size for rounds in everyone for batches in rounds for batch in batches
    )


@given(chunk=st.integers(1, 9), chunks=st.integers(1, 12), size=st.integers(1, 20))
def test_a_chunk_is_one_workers(chunk, chunks, size):
    bounds = np.arange(0, (chunks + 1) * chunk, chunk)
    owners = [
        {
            row // chunk
            for batches in rounds_of(bounds, size, shard)
            for rows in batches
            for row in rows
        }
        for shard in _shares(1, 3)
    ]
    assert sum(map(len, owners)) == chunks


def test_a_round_holds_no_more_than_a_batch_and_a_chunk_of_each_worker():
    bounds = np.arange(0, 1001, 4)
    rounds = rounds_of(bounds, 10, DataShard(0, 1, 1, 2))
    assert max(sum(map(len, batches)) for batches in rounds) == 12
