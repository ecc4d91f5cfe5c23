"""Steps whose batch is computed in several parts are those of a batch as large as all of them."""

import pytest
import torch
from toy_run import break_off, config, log, trainer, weights

from baryon.interfaces import DataShard
from baryon_comm.serial import Serial

PARTS = {"batch_size": 4, "accumulation_steps": 3}  # of 44 samples: steps of 11 in 4, 4 and 3
WHOLE = {"batch_size": 12}


def assert_close(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.allclose(value, other[name], rtol=1e-5, atol=1e-6), name


class Counting(Serial):
    """Counts its steps, and notes how many samples it was told of."""

    def __init__(self):
        super().__init__()
        self.begun, self.steps = [], 0

    def begin(self, step, samples, batch_size, *, stop):
        self.begun.append((samples, batch_size))
        super().begin(step, samples, batch_size, stop=stop)

    def step(self):
        self.steps += 1
        return super().step()


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_parts_give_the_weights_and_curve_of_the_whole_batch(tmp_path, optimizer):
    runs = {}
    for name, sizes in (("parts", PARTS), ("whole", WHOLE)):
        runs[name] = trainer(tmp_path / name, config(optimizer=optimizer, **sizes))
        assert runs[name].fit()
    assert_close(weights(runs["parts"]), weights(runs["whole"]))
    assert runs["parts"].state.step == runs["whole"].state.step == 12
    for kind in ("train", "validation"):
        losses = [[line["loss"] for line in log(run, kind)] for run in runs.values()]
        assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    samples = [run.meters.state_dict()["samples"] for run in runs.values()]
    assert samples == [132, 132]
    flops = [log(run, "meters")[-1]["gflop_per_sample"] for run in runs.values()]
    assert flops[0] == pytest.approx(flops[1])


def test_a_step_is_one_update_and_one_exchange_of_all_its_samples(tmp_path):
    comm = Counting()
    trainer(tmp_path, config(epochs=1, **PARTS), comm).fit()
    assert comm.begun == [(11, 11)] * 4
    assert comm.steps == 4


def test_no_more_samples_are_computed_at_once_than_a_part_has(tmp_path):
    running = trainer(tmp_path, config(epochs=1, **PARTS))
    sizes = {True: [], False: []}
    model = running.components.runner.model
    model.register_forward_hook(lambda m, inputs, _: sizes[m.training].append(len(inputs[0])))
    running.fit()
    assert sizes == {True: [3, 4, 4] * 4, False: [4] * 5}
    assert running.loader.size_at_once(DataShard(0, 1, 0, 2)) == 2  # two workers share a part
    both = trainer(tmp_path / "both", config(micro_batch=2, **PARTS))
    assert both.autotuner.micro_batch == 2
    found = trainer(tmp_path / "found", config(memory_gib=8.0, **PARTS))  # all 11 would fit
    assert found.autotuner.micro_batch == 4


def test_a_step_with_a_bad_sample_in_one_part_is_skipped_as_a_whole(tmp_path):
    settings = config(epochs=1, steps=1, nonfinite="skip", **PARTS)
    running = trainer(tmp_path, settings)
    loss = running.components.loss
    bad = int(running.loader.order(0).rows[5])  # in the second of three parts

    def sometimes(output, batch):
        return {
            n: t * float("nan") if bad in batch["keys"] else t
            for n, t in loss(output, batch).items()
        }

    running._gradient._loss = running.components.loss = sometimes
    before = weights(running)
    break_off(running, 1)
    assert all(torch.equal(value, before[name]) for name, value in weights(running).items())
    assert running._running_loss.samples == 0


def test_a_run_killed_within_an_epoch_goes_on_at_the_sample(tmp_path):
    settings = config(checkpoint_every_steps=3, dropout=0.3, **PARTS)
    whole = trainer(tmp_path / "whole", settings)
    whole.fit()
    break_off(trainer(tmp_path / "cut", settings), 7)  # the last checkpoint is of step 6
    resumed = trainer(tmp_path / "cut", settings)
    assert resumed.state.step == 6
    resumed.fit()
    expected = weights(whole)
    assert all(torch.equal(value, expected[name]) for name, value in weights(resumed).items())
