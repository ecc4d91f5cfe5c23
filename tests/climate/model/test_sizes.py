"""Parameters, operations and grids of the networks, without their memory (meta device)."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from baryon.config.option_values import option_values
from baryon.errors import BaryonError
from baryon.interfaces import Field
from baryon.plugins.registry import discover
from baryon_climate.model.climate_15pf import climate_15pf
from baryon_climate.model.climate_modern import climate_modern
from baryon_climate.model.climate_racah import climate_racah_2d, climate_racah_3d
from baryon_comm.gradients.layer import split_into_layers

FACTORIES = {
    "climate_15pf": climate_15pf,
    "climate_racah_2d": climate_racah_2d,
    "climate_racah_3d": climate_racah_3d,
    "climate_modern": climate_modern,
}
GLOBE, CROP, WINDOW = (16, 768, 1152), (16, 768, 768), (16, 8, 768, 1152)


def build(name: str, shape, *, device: str = "meta", **changes) -> torch.nn.Module:
    """With the option's own values, and changes."""
    values = option_values(name, "model", name, discover())
    del values["name"]
    with torch.device(device):
        fields = {"inputs": Field(shape, "float32")}
        return FACTORIES[name](**values | changes, fields=fields)


def run(model: torch.nn.Module, shape) -> dict[str, tuple[int, ...]]:
    output = model(torch.zeros(2, *shape, device=next(model.parameters()).device))
    assert all(len(tensor) == 2 for tensor in output.values())
    return {name: tuple(tensor.shape[1:]) for name, tensor in output.items()}


def grids(height: int, width: int) -> dict[str, tuple[int, ...]]:
    numbers = {"objectness": 2, "classes": 4, "position": 2, "size": 2}
    return {name: (number, height, width) for name, number in numbers.items()}


def millions(model: torch.nn.Module) -> float:
    return sum(parameter.numel() for parameter in model.parameters()) / 1e6


def teraflops(model: torch.nn.Module, shape) -> float:
    """Of one sample, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        output = model(torch.zeros(1, *shape, device="meta"))
        sum(tensor.sum() for tensor in output.values()).backward()
    return counter.get_total_flops() / 1e12


def test_the_papers_network_has_its_size_its_cost_and_its_grid():
    model = build("climate_15pf", CROP)
    assert millions(model) * 4e6 / 2**20 == pytest.approx(302.1, abs=0.05)  # as remembered
    assert teraflops(model, CROP) == pytest.approx(2.10, abs=0.005)  # derived
    assert run(model, CROP) == grids(24, 24) | {"reconstruction": CROP}
    assert model.cell == 32


def test_the_papers_network_has_14_trainable_layers():
    layers = [
        isinstance(module, nn.Conv2d)
        for module in build("climate_15pf", CROP).modules()
        if next(module.parameters(recurse=False), None) is not None
    ]
    assert (layers.count(True), layers.count(False)) == (9, 5)  # as remembered


def test_as_many_parameter_servers_as_the_paper_had_find_a_layer_each():
    """14 (as remembered); the communicators allow one a layer at most."""
    layers, _ = split_into_layers(build("climate_15pf", CROP, device="cpu", width=0.02))
    assert len(layers) == 14


@pytest.mark.parametrize(
    ("name", "shape", "width", "expected"),
    [
        ("climate_racah_2d", GLOBE, 1.0, 66.53),
        ("climate_racah_2d", GLOBE, 0.5, 16.68),
        ("climate_racah_3d", WINDOW, 0.5, 50.02),
    ],
)
def test_racahs_networks_have_their_sizes_and_their_grid(name, shape, width, expected):
    model = build(name, shape, width=width)
    assert millions(model) == pytest.approx(expected, abs=0.005)  # reported
    assert run(model, shape) == grids(12, 18) | {"reconstruction": shape}


def test_the_modern_network_costs_no_more_than_the_papers():
    model = build("climate_modern", CROP)
    assert teraflops(model, CROP) < 2.1
    assert millions(model) < 79.2
    assert run(model, CROP) == grids(96, 96) | {"reconstruction": CROP}


SMALL = {
    "climate_15pf": (16, 64, 96),
    "climate_racah_2d": (16, 64, 96),
    "climate_racah_3d": (16, 4, 64, 96),
    "climate_modern": (16, 64, 96),
}


@pytest.mark.parametrize(("name", "shape"), SMALL.items())
def test_one_number_scales_it_to_a_laptop(name, shape):
    small = build(name, shape, device="cpu", width=1 / 16, cell=8)
    assert run(small, shape) == grids(8, 12) | {"reconstruction": shape}
    assert millions(small) < 0.02 * millions(build(name, shape, width=1.0, cell=8))


@pytest.mark.parametrize(("name", "shape"), SMALL.items())
def test_without_the_branch_nothing_is_rebuilt(name, shape):
    model = build(name, shape, device="cpu", width=1 / 16, cell=8, reconstruction=False)
    assert run(model, shape) == grids(8, 12)
    sum(t.sum() for t in model(torch.randn(2, *shape)).values()).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("name", "shape", "changes", "message"),
    [
        ("climate_15pf", (16, 24, 144), {}, r"cells of 32 pixels, larger than frames of 24 x 144"),
        ("climate_15pf", (16, 64, 64), {"cell": 64}, r"cell=64 must be a power of two up to 32"),
        ("climate_15pf", (16, 64, 64), {"cell": 12}, r"cell=12 must be a power of two"),
        ("climate_15pf", (16, 64, 64), {"kernel": 4}, r"kernel=4 must be odd"),
        ("climate_15pf", (16, 64, 64), {"width": 0.0}, r"model\.width=0\.0 .* above 0"),
        ("climate_15pf", (16, 8, 64, 64), {}, r"climate_racah_3d for windows"),
        ("climate_racah_3d", (16, 64, 64), {}, r"dataset\.window=8"),
        ("climate_racah_3d", (16, 2, 64, 64), {}, r"looks at 3 steps at once"),
        ("climate_modern", (16, 64, 64), {"cell": 64}, r"one of \[2, 4, 8, 16, 32\]"),
        ("climate_modern", (16, 64, 64), {"blocks": [1]}, r"must be as many"),
    ],
)
def test_what_cannot_be_built_is_said(name, shape, changes, message):
    with pytest.raises(BaryonError, match=message):
        build(name, shape, **changes)


def test_the_host_builds_them_by_name():
    plugins = discover()
    for name in FACTORIES:
        assert plugins.component("model", name).load() is FACTORIES[name]
