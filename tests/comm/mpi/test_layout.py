"""Roles of the ranks."""

import pytest

from baryon_comm.mpi.layout import create_layout


@pytest.mark.parametrize(
    ("ranks", "groups", "servers", "group_size"), [(9, 4, 1, 2), (6, 2, 2, 2), (4, 1, 0, 4)]
)
def test_ranks_are_split(ranks, groups, servers, group_size):
    layout = create_layout(ranks, groups, servers, "hybrid")
    assert (layout.group_size, layout.workers) == (group_size, groups * group_size)
    assert [layout.group_of(rank) for rank in (0, layout.workers - 1)] == [0, groups - 1]
    assert list(layout.server_ranks()) == list(range(layout.workers, ranks))
