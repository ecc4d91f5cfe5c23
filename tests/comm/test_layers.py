"""A model as layers, and where servers hold them."""

import numpy as np
import pytest
import torch
from torch import nn

from baryon.errors import BaryonError
from baryon.interfaces import Field
from baryon_comm.layers.checksum import checksum
from baryon_comm.layers.layer import HEADER_BYTES, Packet, split_into_layers
from baryon_comm.server.placement import Placement
from baryon_comm.world.layout import lay_out
from baryon_hep.model.hep_cnn import hep_cnn


@pytest.fixture
def paper():
    fields = {"inputs": Field((3, 224, 224), "float32")}
    return hep_cnn(filters=128, dropout=0.0, leakiness=0.0, kernels="plain", fields=fields)


def test_the_papers_network_has_six_layers_last_first(paper):
    layers, parameters = split_into_layers(paper)
    assert [layer.name for layer in layers] == ["fc", "conv5", "conv4", "conv3", "conv2", "conv1"]
    assert sum(p.numel() for own in parameters for p in own) == 594_178
    assert layers[1].nbytes == 590_336  # the paper's "~590 KB per layer" (as remembered)


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
    placement.bury({4, 99})
    assert placement.layers_of(5) == list(range(6))
    placement.bury({5})
    with pytest.raises(BaryonError, match="last parameter server has died"):
        placement.server_of(0)


def test_a_packet_keeps_the_memory_format():
    model = nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last)
    (layer,), ((weight, bias),) = split_into_layers(model)
    packet = Packet(layer)
    for place, parameter in zip(packet.parameters, (weight, bias), strict=True):
        assert place.stride() == parameter.stride()
        place.copy_(parameter.detach())
    assert torch.equal(packet.parameters[0], weight)
    assert packet.another().parameters[0].stride() == weight.stride()


def test_values_that_lie_apart_are_brought_to_where_mpi_finds_them():
    (layer,), _ = split_into_layers(nn.Linear(3, 1, bias=False))
    packet = Packet(layer, torch.device("cpu"))
    packet.values.fill_(2.0)
    sent = packet.raw[HEADER_BYTES:].view(np.float32)
    assert not sent.any()
    assert list(packet.to_host()) == []
    assert sent[: layer.size].tolist() == packet.values.tolist()


def test_shared_parameters_travel_once_and_frozen_ones_do_not():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3))
    model[2].weight = model[0].weight
    model[1].requires_grad_(False)
    _, parameters = split_into_layers(model)
    assert [len(own) for own in parameters] == [2, 1]
    with pytest.raises(BaryonError, match="no parameters to learn"):
        split_into_layers(model.requires_grad_(False))
    with pytest.raises(BaryonError, match=r"0\.weight is torch\.bfloat16"):
        split_into_layers(nn.Sequential(nn.Linear(2, 2)).bfloat16())


def test_a_checksum_sees_the_last_bit(paper):
    before = checksum(paper)
    with torch.no_grad():
        weight = paper[0].weight
        weight[0, 0, 0, 0] = torch.nextafter(weight[0, 0, 0, 0], torch.tensor(9.0))
    assert checksum(paper) != before


@pytest.mark.parametrize(
    ("ranks", "groups", "servers", "members"), [(9, 4, 1, 2), (6, 2, 2, 2), (4, 1, 0, 4)]
)
def test_ranks_are_split(ranks, groups, servers, members):
    layout = lay_out(ranks, groups, servers, "hybrid")
    assert (layout.members, layout.workers) == (members, groups * members)
    assert [layout.group_of(rank) for rank in (0, layout.workers - 1)] == [0, groups - 1]
    assert list(layout.server_ranks()) == list(range(layout.workers, ranks))
