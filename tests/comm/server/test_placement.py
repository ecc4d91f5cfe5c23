"""Which server holds which layer."""

import pytest

from baryon.errors import BaryonError
from baryon_comm.gradients.layer import split_into_layers
from baryon_comm.server.placement import Placement


def test_each_layer_can_have_a_server_of_its_own(paper):
    layers, _ = split_into_layers(paper)
    placement = Placement(layers, servers := range(10, 16))
    assert sorted(placement.server_of(layer.index) for layer in layers) == list(servers)
    with pytest.raises(BaryonError, match="more than the model's 6 layers"):
        Placement(layers, range(10, 17))


def test_layers_are_spread_by_size_and_move_on_when_a_server_dies(paper):
    layers, _ = split_into_layers(paper)
    placement = Placement(layers, [4, 5])
    loads = [sum(layers[n].nbytes for n in placement.layers_of(server)) for server in (4, 5)]
    assert max(loads) - min(loads) <= layers[-1].nbytes
    placement.mark_failed({4, 99})
    assert placement.layers_of(5) == list(range(6))
    placement.mark_failed({5})
    with pytest.raises(BaryonError, match="last parameter server has died"):
        placement.server_of(0)
