"""Predicted servers hold the layers that the communicator's servers hold."""

import numpy as np
import pytest

from baryon.scaling import servers
from baryon_comm.server import placement


@pytest.mark.parametrize("count", [1, 3, 7])
def test_layers_are_placed_as_hybrid_places_them(count):
    # The host may not import a plugin, so each has this rule; here they are held equal.
    random = np.random.default_rng(count)
    sizes = [0, 0, 1, 64, 64, 64, *random.integers(10**7, size=30).tolist()]
    assert servers._balance(sizes, count) == placement._balance(sizes, count)
