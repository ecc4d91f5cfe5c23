"""`baryon export` of a classifier: it takes images as the files hold them."""

import json

import h5py
import pytest
import torch

from baryon.cli import execute
from baryon.errors import BaryonError
from baryon.export.format_names import SUFFIXES
from baryon.export.formats import FORMATS, load_safetensors
from baryon_hep.dataset.images import Images
from baryon_hep.evaluator.events import log_odds


@pytest.mark.slow
@pytest.mark.parametrize("name", ["safetensors"])  # the graphs: tests/exporting and the page
def test_stored_images_give_the_scores_that_predict_writes(
    here, run, unlabelled, images, predicted, capsys, name
):
    path = here / f"model.{SUFFIXES[name]}"
    assert execute(["export", f"run={run}", f"format={name}", f"out={path}"]) == 0
    assert "on 8 samples of split test it deviates by " in capsys.readouterr().out
    with torch.inference_mode():
        output = FORMATS[name].load(path)(torch.from_numpy(images))
    logits = output["output"] if isinstance(output, dict) else output
    with h5py.File(predicted / "scores.h5") as file:
        torch.testing.assert_close(
            torch.from_numpy(log_odds(logits)),
            torch.from_numpy(file["score"][:]),
            rtol=1e-4,
            atol=1e-5,
        )


def test_a_safetensors_file_says_what_it_is_and_is_not_written_over(here, run):
    from safetensors import safe_open

    assert execute(["export", f"run={run}", "format=safetensors", "weights=last"]) == 0
    path = run / "exports" / "hep_cnn.safetensors"
    with safe_open(path, framework="pt") as file:
        told = json.loads(file.metadata()["baryon"])
        assert "conv1.weight" in file.keys()  # noqa: SIM118  it is no mapping
    assert told["model"]["name"] == "hep_cnn"
    assert told["normalisation"]["offset"] == [0.0, 0.0, 0.0]
    assert told["outputs"] == {"output": [2]}
    assert (told["weights"], told["step"]) == ("last.pt", 2)
    assert load_safetensors(path)(torch.zeros(5, 3, 64, 64)).shape == (5, 2)
    with pytest.raises(BaryonError, match="exists already: give another with out=<name>"):
        execute(["export", f"run={run}", "format=safetensors"])


def test_a_file_that_computes_something_else_is_not_left(here, run, monkeypatch):
    right = Images.raw
    monkeypatch.setattr(Images, "raw", lambda *rows: 1.5 * right(*rows))
    with pytest.raises(BaryonError, match="the safetensors file does not compute what the model"):
        execute(["export", f"run={run}", "format=safetensors", "out=new/model.safetensors"])
    assert not list((here / "new").iterdir())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["format=onxx"], "format=onxx is not known; did you mean 'onnx'? choose from: onnx, "),
        ([], "give format=safetensors|torch|onnx"),
        (
            ["format=onnx", "weights=first"],
            "weights=first is not known; choose from: best, ema, last",
        ),
        (["format=onnx", "modle.filters=3"], "the config has no key 'modle'; did you mean 'model'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_one_line(here, run, arguments, says):
    with pytest.raises(BaryonError) as error:
        execute(["export", f"run={run}", *arguments])
    assert str(error.value).startswith(says)
    assert "\n" not in str(error.value)
