"""A model as layers."""

import pytest
from torch import nn

from baryon.errors import BaryonError
from baryon_comm.gradients.layer import split_into_layers


def test_the_papers_network_has_six_layers_last_first(paper):
    layers, parameters = split_into_layers(paper)
    assert [layer.name for layer in layers] == ["fc", "conv5", "conv4", "conv3", "conv2", "conv1"]
    assert sum(p.numel() for own in parameters for p in own) == 594_178
    assert layers[1].nbytes == 590_336  # the paper's "~590 KB per layer" (as remembered)


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
