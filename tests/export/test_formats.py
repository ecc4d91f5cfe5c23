"""What leaves computes what the model does, from stored values, and needs what it says."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from baryon.errors import BaryonError
from baryon.export import parity
from baryon.export.exported_model import Exported, named
from baryon.export.format_names import SUFFIXES
from baryon.export.formats import FORMATS, load_safetensors, write_onnx
from baryon.interfaces import Normalisation

TOLD = Normalisation(("a", "b"), offset=(3.0, -1.0), scale=(2.0, 0.5))
DESCRIPTION = {"version": 1, "model": {"name": "two_heads", "arguments": {}}}


class TwoHeads(nn.Module):
    """A model with a mapping as its output."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(2, 4, 3, padding=1)
        self.heads = nn.ModuleDict({name: nn.Conv2d(4, 1, 1) for name in ("up", "down")})

    def forward(self, inputs):
        body = self.body(inputs).relu()
        return {name: head(body) for name, head in self.heads.items()}


@pytest.fixture
def exported():
    torch.manual_seed(1)
    return Exported(TwoHeads().eval(), TOLD, axes=3)


RAW = torch.randn(3, 2, 6, 5, generator=torch.Generator().manual_seed(2))


def test_every_format_that_the_command_offers_can_be_written():
    assert set(FORMATS) == set(SUFFIXES)


def test_stored_values_are_normalised_first(exported):
    offset, scale = (np.array(v).reshape(2, 1, 1) for v in (TOLD.offset, TOLD.scale))
    inputs = torch.from_numpy(((RAW.numpy() - offset) / scale).astype("f4"))
    assert parity.check(exported.model, exported, inputs, RAW, "it") < 1e-6
    with pytest.raises(BaryonError, match=r"^it does not compute what the model does: up deviates"):
        parity.check(exported.model, exported, inputs * 1.01, RAW, "it")


def _require_same(exported, call):
    for count in (1, 2, 3):
        with torch.inference_mode():
            expected = exported(RAW[:count])
        actual = call(RAW[:count])
        assert list(actual) == ["up", "down"]
        for head, values in expected.items():
            torch.testing.assert_close(actual[head], values, rtol=1e-5, atol=1e-6)


def test_an_onnx_file_is_valid_names_its_ends_and_describes_itself(exported, tmp_path):
    path = tmp_path / "model.onnx"
    write_onnx(exported, DESCRIPTION, RAW[:2], path)
    _require_same(exported, FORMATS["onnx"].load(path))
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    (inputs,) = model.graph.input
    assert inputs.name == "inputs"
    batch, *sample = inputs.type.tensor_type.shape.dim
    assert batch.dim_param == "batch"
    assert [axis.dim_value for axis in sample] == [2, 6, 5]
    assert [output.name for output in model.graph.output] == ["up", "down"]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["baryon"]) == DESCRIPTION


@pytest.mark.slow
def test_a_torch_program_runs_where_baryon_is_not(exported, tmp_path):
    FORMATS["torch"].write(exported, DESCRIPTION, RAW[:2], tmp_path / "model.pt2")
    _require_same(exported, FORMATS["torch"].load(tmp_path / "model.pt2"))
    np.save(tmp_path / "raw.npy", RAW.numpy())
    code = """if True:
        import json, sys
        sys.modules["baryon"] = None  # any import of it fails
        import numpy, torch
        files = {"baryon.json": ""}
        program = torch.export.load("model.pt2", extra_files=files)
        output = program.module()(torch.from_numpy(numpy.load("raw.npy")))
        print(json.dumps([json.loads(files["baryon.json"]), output["up"].sum().item()]))
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    description, total = json.loads(done.stdout)
    assert description == DESCRIPTION
    assert total == pytest.approx(exported(RAW)["up"].sum().item(), rel=1e-5)


def test_names_of_nested_outputs():
    one = torch.zeros(1)
    assert list(named(one)) == ["output"]
    assert list(named([one, one])) == ["output_0", "output_1"]
    assert list(named({"a": one, "b": [one, {"c": one}]})) == ["a", "b_0", "b_1_c"]


def test_a_model_that_cannot_be_traced_is_named_with_a_way_out(tmp_path):
    class Branching(nn.Module):
        def forward(self, inputs):
            return inputs if inputs.sum().item() > 0 else -inputs

    with pytest.raises(BaryonError, match=r"^torch.export cannot trace Branching \(.*safetensors"):
        FORMATS["torch"].write(Exported(Branching(), None, 3), {}, RAW[:2], tmp_path / "no.pt2")


def test_a_missing_library_is_said_with_what_to_install(exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BaryonError, match=r"format=onnx needs onnxruntime.*'baryon\[onnx\]'$"):
        write_onnx(exported, {}, RAW[:2], tmp_path / "model.onnx")


def test_another_file_is_no_exported_model(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("nothing")
    with pytest.raises(BaryonError, match="was not written by `baryon export`"):
        load_safetensors(tmp_path / "other.safetensors")
    with pytest.raises(BaryonError, match="cannot be read as safetensors"):
        load_safetensors(tmp_path / "text.safetensors")
