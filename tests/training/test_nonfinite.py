"""A batch whose loss was not finite: the layer and the samples named, and all of it done again."""

import pytest
import torch
from torch import nn

from baryon.training import nonfinite
from baryon.training.checkpoints import file
from baryon.training.model_runner import ModelRunner
from baryon.training.rng import random_state


class Shift(nn.Module):
    """Infinite for what lies above 100."""

    def forward(self, x):
        return torch.where(x > 100, x * float("inf"), x)


@pytest.fixture
def runner(train):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 3), Shift(), nn.Linear(3, 2))
    return ModelRunner(model, train())


def batch():
    return {"inputs": torch.rand(4, 3), "keys": torch.tensor([40, 7, 12, 3])}


def loss(output, here):
    del here
    return {"square": output.square().mean(), "other": output.new_zeros(())}


def logarithm(output, here):
    del output
    return {"log": here["inputs"][:, 0].log().mean()}


def test_the_first_layer_that_goes_wrong_and_its_samples(runner):
    here = batch()
    here["inputs"][2] = 1e6
    assert nonfinite.culprit(runner, loss, here) == ("1", [12])


def test_inputs_that_are_not_finite(runner):
    here = batch()
    here["inputs"][1, 0] = float("nan")
    assert nonfinite.culprit(runner, loss, here) == (nonfinite.INPUTS, [7])


def test_a_loss_that_is_not_finite_by_itself(runner):
    here = batch()
    here["inputs"][3, 0] = 0.0
    assert nonfinite.culprit(runner, logarithm, here) == (nonfinite.NO_LAYER, [3])


@pytest.mark.parametrize("micro_batch", [1, 2, 3])
def test_it_is_found_in_the_parts_in_which_it_was_computed(runner, micro_batch):
    here, sizes = batch(), []
    here["inputs"][2] = 1e6
    here["inputs"][3, 1] = float("nan")
    runner.model.register_forward_hook(lambda m, inputs, _: sizes.append(len(inputs[0])))
    assert nonfinite.culprit(runner, loss, here, micro_batch) == (nonfinite.INPUTS, [12, 3])
    assert max(sizes) <= micro_batch


def test_a_saved_batch_is_described_and_done_again(runner, tmp_path):
    here = batch()
    here["inputs"][2] = 1e6
    path = tmp_path / "replay" / "step-17.pt"
    text = nonfinite.save(
        path,
        runner,
        loss,
        here,
        step=17,
        epoch=2,
        terms={"square": float("inf"), "other": 0.0},
        random=random_state(torch.device("cpu")),
    )
    assert text == "loss term square inf in 1, sample 12"
    rows = dict(nonfinite.describe(path).rows)
    assert (rows["step"], rows["first went wrong in"], rows["samples"]) == ("17", "1", "sample 12")
    assert rows["batch: inputs"].startswith("(4, 3) torch.float32, ")
    state = file.load(path)
    runner.model.load_state_dict(state["model"])
    again = loss(runner(state["batch"]), state["batch"])
    assert not torch.isfinite(again["square"])
    assert nonfinite.saved(tmp_path, 17) == [path]
    assert nonfinite.saved(tmp_path, 1) == []
