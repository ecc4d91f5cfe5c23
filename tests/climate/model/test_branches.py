"""What the networks compute."""

import pytest
import torch
from torch.nn.functional import leaky_relu

from baryon.interfaces import Field
from baryon.training.autotune.activation_checkpointing import apply_activation_checkpointing
from baryon_climate.model.climate_15pf import climate_15pf
from baryon_climate.model.climate_modern import climate_modern
from baryon_climate.model.climate_racah import climate_racah_2d, climate_racah_3d
from baryon_climate.windows import labelled_step

RACAH = {
    "filters": [8, 16],
    "width": 1.0,
    "cell": 4,
    "leakiness": 0.1,
    "rectified": True,
    "reconstruction": True,
}
MODERN = {
    "filters": [8, 16, 24],
    "blocks": [0, 1, 1],
    "features": 16,
    "width": 1.0,
    "cell": 4,
    "reconstruction": True,
}


def fields(*shape: int) -> dict[str, Field]:
    return {"inputs": Field(shape, "float32")}


def test_racahs_decoder_is_the_transposed_derivative_of_the_encoder():
    """As Lasagne's InverseLayer, computed here by autograd."""
    torch.manual_seed(1)
    model = climate_racah_2d(**RACAH, fields=fields(3, 16, 24))
    inputs = torch.randn(2, 3, 16, 24, requires_grad=True)
    code = inputs
    for layer in model.encoder:
        code = leaky_relu(layer(code), 0.1)
    (expected,) = torch.autograd.grad(code, inputs, code.detach())
    torch.testing.assert_close(model(inputs)["reconstruction"], expected)


def test_racahs_coordinates_are_never_negative_unless_asked():
    torch.manual_seed(1)
    inputs = torch.randn(4, 3, 16, 24)
    for rectified in (True, False):
        model = climate_racah_2d(**RACAH | {"rectified": rectified}, fields=fields(3, 16, 24))
        output = model(inputs)
        lowest = min(output["size"].min(), output["position"].min())
        assert (lowest >= 0) == rectified


def test_in_three_dimensions_heads_look_at_the_labelled_step_and_its_neighbours():
    torch.manual_seed(1)
    model = climate_racah_3d(**RACAH, fields=fields(3, 8, 16, 24)).eval()
    inputs = torch.randn(1, 3, 8, 16, 24)
    before = model(inputs)
    near = labelled_step(8)
    reach = 1 + len(model.encoder)  # one step for the head and for each layer
    for step in range(8):
        changed = inputs.clone()
        changed[:, :, step] += 1
        same = torch.equal(model(changed)["objectness"], before["objectness"])
        assert same == (abs(step - near) > reach)


@pytest.mark.parametrize("cyclic", [True, False])
def test_on_the_globe_the_modern_network_knows_no_seam(cyclic):
    """Turning the globe by whole cells turns the answer."""
    torch.manual_seed(1)
    model = climate_modern(**MODERN, cyclic=cyclic, fields=fields(3, 16, 32)).eval()
    inputs = torch.randn(1, 3, 16, 32)
    turn = 8  # pixels of the coarsest features
    here, turned = model(inputs), model(inputs.roll(turn, dims=-1))
    for name, cells in (("objectness", turn // 4), ("reconstruction", turn)):
        expected = here[name].roll(cells, dims=-1)
        assert torch.allclose(turned[name], expected, atol=1e-5) == cyclic


MODELS = {
    "15pf": lambda shape: climate_15pf(
        filters=[8, 16], width=1.0, kernel=5, cell=4, leakiness=0.1, reconstruction=True,
        fields=fields(*shape),
    ),
    "modern": lambda shape: climate_modern(**MODERN, cyclic=True, fields=fields(*shape)),
    "racah_2d": lambda shape: climate_racah_2d(**RACAH, fields=fields(*shape)),
    "racah_3d": lambda shape: climate_racah_3d(**RACAH, fields=fields(*shape)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_frames_with_a_part_of_a_cell_are_padded_and_their_reconstruction_cut(name):
    """As ERA5's 721 rows: rows repeat the last one, columns around a globe are the first ones."""
    torch.manual_seed(1)
    steps = (8,) if name == "racah_3d" else ()
    model = MODELS[name]((3, *steps, 19, 30)).eval()
    inputs = torch.randn(2, 3, *steps, 19, 30)
    output = model(inputs)
    assert output["objectness"].shape == (2, 2, 5, 8)
    assert output["reconstruction"].shape == inputs.shape
    beyond = inputs[..., :2] if name == "modern" else inputs[..., -1:].expand(*inputs.shape[:-1], 2)
    whole = torch.cat([inputs, beyond], dim=-1)
    whole = torch.cat([whole, whole[..., -1:, :]], dim=-2)
    expected = model(whole)
    for cells in ("objectness", "classes", "position", "size"):
        torch.testing.assert_close(output[cells], expected[cells])
    torch.testing.assert_close(output["reconstruction"], expected["reconstruction"][..., :19, :30])
    output["reconstruction"].sum().backward()


def test_the_modern_network_expects_few_objects_at_first():
    torch.manual_seed(1)
    model = climate_modern(**MODERN, cyclic=False, fields=fields(3, 16, 32))
    chance = model(torch.randn(2, 3, 16, 32))["objectness"].softmax(dim=1)[:, 0]
    assert 0.002 < chance.min() <= chance.max() < 0.05


@pytest.mark.parametrize("name", ["15pf", "modern"])
def test_forgetting_activations_leaves_the_gradients(name):
    torch.manual_seed(1)
    if name == "15pf":
        options = {"filters": [8, 16], "width": 1.0, "kernel": 5, "cell": 4, "leakiness": 0.1}
        model = climate_15pf(**options, reconstruction=True, fields=fields(3, 16, 32))
    else:
        model = climate_modern(**MODERN, cyclic=True, fields=fields(3, 16, 32))
    inputs, found = torch.randn(2, 3, 16, 32), []
    for forget in (False, True):
        if forget:
            apply_activation_checkpointing(model)
        model.zero_grad()
        sum(tensor.square().sum() for tensor in model(inputs).values()).backward()
        found.append([parameter.grad.clone() for parameter in model.parameters()])
    for kept, forgot in zip(*found, strict=True):
        torch.testing.assert_close(forgot, kept)
