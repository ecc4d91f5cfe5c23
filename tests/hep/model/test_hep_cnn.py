"""The network against the table of the paper's facts (reported; counts derived)."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from baryon.errors import BaryonError
from baryon.interfaces import Field
from baryon_hep.model.hep_cnn import hep_cnn


def build(size, *, width=None, channels=3, kernels="plain", **changes) -> nn.Sequential:
    fields = {"inputs": Field((channels, size, width or size), "float32")}
    options = {"filters": 128, "dropout": 0.0, "leakiness": 0.0, "padding": "zeros"} | changes
    return hep_cnn(kernels=kernels, fields=fields, **options)


def outputs(model, size):
    """Name -> output shape of one image, layer by layer."""
    shapes, x = {}, torch.zeros(1, 3, size, size)
    for name, layer in model.named_children():
        x = layer(x)
        shapes[name] = tuple(x.shape[1:])
    return shapes


def count(model):
    return sum(p.numel() for p in model.parameters())


def test_every_layer_at_224():
    model = build(224)
    shapes = outputs(model, 224)
    assert shapes["conv1"] == (128, 224, 224)
    assert [shapes[f"pool{n}"] for n in (1, 2, 3, 4)] == [(128, s, s) for s in (112, 56, 28, 14)]
    assert shapes["conv5"] == (128, 14, 14)
    assert "pool5" not in shapes
    assert shapes["average"] == (128, 1, 1)
    assert shapes["fc"] == (2,)


def test_parameters_at_224():
    model = build(224)
    counts = {name: count(layer) for name, layer in model.named_children() if count(layer)}
    assert counts == {
        "conv1": 3_584,
        "conv2": 147_584,
        "conv3": 147_584,
        "conv4": 147_584,
        "conv5": 147_584,
        "fc": 258,
    }
    assert count(model) == 594_178
    assert 4 * count(model) / 2**20 == pytest.approx(2.267, abs=5e-4)


def test_forward_operations_at_224():
    model = build(224)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 224, 224))
    assert counter.get_total_flops() / 1e9 == pytest.approx(5.260, abs=1e-3)


def test_kernels_and_strides():
    for name, layer in build(224).named_children():
        if name.startswith("conv"):
            assert (layer.kernel_size, layer.stride, layer.padding) == ((3, 3), (1, 1), (1, 1))
            assert layer.bias is not None
        if name.startswith("pool"):
            assert (layer.kernel_size, layer.stride) == (2, 2)


def test_every_layer_at_64():
    model = build(64)
    shapes = outputs(model, 64)
    assert [shapes[f"pool{n}"] for n in (1, 2, 3)] == [(128, s, s) for s in (32, 16, 8)]
    assert "conv4" not in shapes
    assert (shapes["fc1"], shapes["fc"]) == ((512,), (2,))
    assert count(model) == 3_584 + 2 * 147_584 + (8 * 8 * 128 + 1) * 512 + (512 + 1) * 2


def test_biases_start_at_zero_and_weights_as_he_et_al():
    for layer in build(224).children():
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.in_channels * 9
            assert layer.bias.abs().max() == 0
            assert layer.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)


def test_options():
    assert not any(isinstance(layer, nn.Dropout) for layer in build(64).children())
    dropped = [
        layer for layer in build(64, dropout=0.5).children() if isinstance(layer, nn.Dropout)
    ]
    assert [layer.p for layer in dropped] == [0.5] * 3
    leaky = build(64, leakiness=0.1).get_submodule("relu1")
    assert leaky.negative_slope == 0.1
    assert outputs(build(64, filters=16), 64)["conv3"] == (16, 16, 16)


def test_other_numbers_of_channels():
    assert build(64, channels=1)(torch.zeros(2, 1, 64, 64)).shape == (2, 2)


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 64, 128)])
def test_other_sizes_are_refused(shape):
    with pytest.raises(BaryonError, match=r"64x64 and 224x224, not"):
        build(shape[1], width=shape[2])


@pytest.mark.parametrize("leakiness", [0.0, 0.1])
def test_relu_after_pooling_is_the_papers_relu_before_it(leakiness):
    """The same output and the same gradients, to the bit."""
    ours = build(64, filters=8, leakiness=leakiness)
    layers = list(ours)
    for n, layer in enumerate(ours):
        if isinstance(layer, nn.MaxPool2d):
            layers[n], layers[n + 1] = copy.copy(layers[n + 1]), layer
            layers[n].inplace = False
    papers = nn.Sequential(*layers)
    images = torch.rand(4, 3, 64, 64)
    found = []
    for model in (ours, papers):
        model.zero_grad()
        output = model(images)
        output.square().sum().backward()
        found.append([output, *(parameter.grad.clone() for parameter in ours.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize(("padding", "axis"), [("circular_rows", 2), ("circular_columns", 3)])
def test_with_circular_padding_a_turned_event_is_the_same_event(padding, axis):
    torch.manual_seed(0)
    circular = build(224, filters=4, padding=padding).double().eval()
    images = torch.rand(2, 3, 224, 224, dtype=torch.float64)
    turned = images.roll(16, axis)  # four poolings keep turns by multiples of 16 pixels
    assert torch.allclose(circular(images), circular(turned), rtol=0, atol=1e-12)
    across = images.roll(16, 5 - axis)
    assert not torch.allclose(circular(images), circular(across), rtol=0, atol=1e-6)
    plain = build(224, filters=4).double().eval()
    plain.load_state_dict(circular.state_dict())
    assert not torch.allclose(plain(images), plain(turned), rtol=0, atol=1e-6)


def test_fused_kernels_with_circular_padding_are_refused():
    with pytest.raises(BaryonError, match=r"model.kernels=fused knows padding by zeros alone"):
        build(64, padding="circular_rows", kernels="fused")
    assert "pool1" in dict(build(64, padding="circular_rows", kernels="auto").named_children())
