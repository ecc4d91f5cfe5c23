"""The paper's detector on a GPU."""

import pytest
import torch

from baryon.config.option_values import option_values
from baryon.interfaces import Field
from baryon.plugins.registry import discover
from baryon.training.autotune.execution_mode import ExecutionMode, set_precision
from baryon_climate.loss.climate_semi_supervised import ClimateSemiSupervised
from baryon_climate.model.climate_15pf import climate_15pf


def shipped(kind: str, name: str) -> dict:
    values = option_values("", kind, name, discover())
    return {key: value for key, value in values.items() if key != "name"}


@pytest.mark.gpu
def test_a_step_on_the_gpu_is_that_of_the_cpu():
    """Terms of the loss and gradients, with boxes, empty cells and a frame without labels."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    set_precision(ExecutionMode(), torch.device("cuda"))
    fields = {"inputs": Field((16, 128, 128), "float32")}
    torch.manual_seed(1)
    model = climate_15pf(**shipped("model", "climate_15pf") | {"width": 0.1}, fields=fields)
    modern = {"focusing": 2.0, "nearness": 0.2, "overlap": 1.0}
    loss = ClimateSemiSupervised(**shipped("loss", "climate_semi_supervised") | modern)
    boxes = torch.full((3, 15, 5), -1.0)
    boxes[0, :2] = torch.tensor([[10.0, 20, 40, 70, 1], [60, 60, 100, 90, 3]])
    batch = {
        "inputs": torch.randn(3, 16, 128, 128),
        "boxes": boxes,
        "labelled": torch.tensor([1, 0, 1], dtype=torch.uint8),
    }
    found = []
    for device in ("cpu", "cuda"):
        there = {name: tensor.to(device) for name, tensor in batch.items()}
        model.to(device).zero_grad()
        terms = loss(model(there["inputs"]), there)
        torch.stack(list(terms.values())).sum().backward()
        gradients = [parameter.grad.cpu().clone() for parameter in model.parameters()]
        found.append(({name: term.item() for name, term in terms.items()}, gradients))
    (terms, gradients), (on_gpu, of_gpu) = found
    assert on_gpu == pytest.approx(terms, rel=1e-3)
    for here, there in zip(gradients, of_gpu, strict=True):
        torch.testing.assert_close(there, here, rtol=1e-2, atol=1e-3 * float(here.abs().max()))
