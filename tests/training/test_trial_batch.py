"""What does not fit, and what a plugin got wrong, is one line before anything is trained."""

import json
import random
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn
from toy_points import ROWS, Points

from baryon import interfaces
from baryon.config.compose import composed
from baryon.errors import BaryonError
from baryon.interfaces import DataShard, Evaluation, Table
from baryon.plugins.components import Choice
from baryon.plugins.registry import Component, Plugin, Plugins, discover
from baryon.training import run as training_run
from baryon.training.build import build_components
from baryon.training.trial_batch import try_components

MODULE = "toy_components"


class Dataset(interfaces.Dataset):
    """Points and their class."""

    def __init__(self, **changes) -> None:
        self.splits = {name: Points(**changes) for name in ("train", "val", "test")}


class Model(nn.Module):
    """Draws random numbers and counts, as dropout and batch normalisation do."""

    def __init__(self, forward=lambda output: output):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2)
        )
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64), persistent=False)
        self._change, self.steps = forward, 0

    def forward(self, inputs):
        self.calls, self.steps = self.calls + 1, self.steps + 1
        np.random.shuffle([torch.rand(1), random.random()])  # noqa: NPY002, S311
        return self._change(self.layers(inputs))


def loss(output, batch):
    return {"cross_entropy": nn.functional.cross_entropy(output, batch["label"])}


class Evaluator:
    def __init__(self, result=None, update=None):
        self._result, self._update, self._seen = result, update, 0

    def update(self, output, batch):
        self._seen += len(output)
        if self._update:
            self._update(output, batch)

    def state(self):
        return self._seen

    def merge(self, state):
        self._seen += state

    def result(self):
        assert self._seen in (4, 8, ROWS)
        return self._result() if self._result else Evaluation("fine", {"accuracy": 0.5})


class Comm:
    """Only what building and trying ask for."""

    is_server, is_leader, shard = False, True, DataShard()
    all_gather_object = abort = close = None


def plugins():
    """The installed plugins, and one of these components by kind."""
    toys = Plugin(
        "toys", "toys", "1", [Component(k, "toy", f"{MODULE}:{k}", "toys") for k in KINDS]
    )
    return Plugins([*discover().all, toys])


ALONE = DataShard()
KINDS = ("dataset", "model", "loss", "comm", "evaluator")


@pytest.fixture(scope="module")
def config():
    """That of the demo, whose choices the toys replace."""
    return composed(["experiment=hep_demo", "train.device=cpu"], discover())


@pytest.fixture
def chosen(config, monkeypatch):
    """The config of a run of toys, some of them replaced by these."""

    def choose(*, arguments=None, factories=None, **components):
        toys = {
            "dataset": lambda: components.get("dataset", Dataset()),
            "model": lambda: components.get("model", Model()),
            "loss": lambda: components.get("loss", loss),
            "comm": Comm,
            "evaluator": lambda: components.get("evaluator", Evaluator()),
            **(factories or {}),
        }
        module = types.ModuleType(MODULE)
        vars(module).update(toys)
        monkeypatch.setitem(sys.modules, MODULE, module)
        choices = {kind: Choice(kind, "toy", (arguments or {}).get(kind, {})) for kind in KINDS}
        return replace(config, choices=choices)

    return choose


@pytest.fixture
def trial(chosen):
    """Build a run of toys, some of them replaced by these, and try it; gives its parts."""

    def run(*, shard=ALONE, **components):
        config, comm = chosen(**components), Comm()
        comm.shard = shard
        components = build_components(config, plugins(), comm)
        try_components(config, plugins(), components)
        return components

    return run


@pytest.fixture
def refused(trial):
    """The one line with which a run of these components is refused."""

    def run(**components):
        with pytest.raises(BaryonError) as raised:
            trial(**components)
        assert "\n" not in str(raised.value)
        return str(raised.value)

    return run


def test_it_changes_nothing_that_the_training_depends_on(trial):
    model = Model()
    model.eval()  # another mode than the trial's own
    model.layers[2].train()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    seen = []

    def seeds():
        torch.manual_seed(5)
        random.seed(5)
        np.random.seed(5)  # noqa: NPY002

    def draws():
        of_numpy = np.random.random(3).tolist()  # noqa: NPY002
        return torch.rand(3).tolist(), random.random(), of_numpy  # noqa: S311

    def evaluator():  # built last: the generators stand as the training would find them
        seeds()
        return Evaluator(update=lambda output, batch: seen.append(draws()))

    class Counting:
        calls = 0

        def __call__(self, output, batch):
            self.calls += 1
            return loss(output, batch)

    components = trial(model=model, loss=Counting(), factories={"evaluator": evaluator})
    after = draws()
    seeds()
    assert after == draws()
    assert len(seen) == 1
    assert components.evaluator._seen == 0
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert (int(model.calls), model.steps, components.loss.calls) == (0, 0, 0)
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())


LOSS = "loss 'toy' of plugin 'toys'"
LOSSES = {
    "a tensor": (
        lambda output, batch: output.mean(),
        f"{LOSS} returned float32 (), not a mapping of its terms by name",
    ),
    "a float": (lambda output, batch: 0.5, f"{LOSS} returned float, not a mapping of its terms"),
    "no term": (lambda output, batch: {}, f"{LOSS} returned no terms: it must name at least one"),
    "a term of each sample": (
        lambda output, batch: {"mse": output[:, 0]},
        f"{LOSS}: term 'mse' is float32 (8,), not a tensor of one number",
    ),
    "a number": (
        lambda output, batch: {"mse": 0.5},
        f"{LOSS}: term 'mse' is float, not a tensor of one number",
    ),
    "a name of the log": (
        lambda output, batch: {"step": output.mean()},
        f"{LOSS}: a term cannot be named 'step', which means something else in the log",
    ),
    "the sum's name beside others": (
        lambda output, batch: {"loss": output.mean(), "mse": output.mean()},
        f"{LOSS}: a term cannot be named 'loss', which means something else in the log",
    ),
    "no gradient": (
        lambda output, batch: {"mse": output.detach().mean()},
        f"no gradient flows back from {LOSS} through model 'toy' of plugin 'toys'",
    ),
    "a field that is not there": (
        lambda output, batch: {"mse": output.mean() * batch["weight"].mean()},
        f"{LOSS} fails on the output of model 'toy' of plugin 'toys' and split 'train' of dataset "
        "'toy' of plugin 'toys': KeyError: 'weight'; losses that fit: hep_cross_entropy",
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_that_is_none(refused, name):
    wrong, says = LOSSES[name]
    assert refused(loss=wrong).startswith(says)


MODEL = "model 'toy' of plugin 'toys'"


def test_a_model_that_does_not_take_the_inputs(refused):
    says = f"{MODEL} fails on inputs float32 (8, 3) of split 'train' of dataset 'toy' of plugin "
    assert refused(model=nn.Linear(5, 2)).startswith(says)
    assert refused(model=Model(lambda output: output.detach().numpy())).startswith(says)


def test_a_model_that_cannot_learn(refused):
    assert refused(model=nn.Flatten()) == f"{MODEL} has no parameters that could learn"
    assert refused(model=nn.LazyLinear(2)).startswith(f"{MODEL} has parameters without a shape")


def test_a_validation_split_of_another_form_than_the_loss_needs(refused):
    def without_label(arrays):
        return {"inputs": arrays["inputs"]}

    dataset = Dataset()
    dataset.splits["val"] = Points(read=without_label)
    dataset.splits["val"].fields = {"inputs": Points.fields["inputs"]}
    assert "split 'val' of dataset 'toy' of plugin 'toys': KeyError: 'label'" in refused(
        dataset=dataset
    )


def raising():
    raise ZeroDivisionError("of few\nsamples")


def too_little():
    raise BaryonError("8 samples are too few")


def answer(**changes):
    return lambda: replace(Evaluation("fine", {}), **changes)


EVALUATOR = "evaluator 'toy' of plugin 'toys'"
RESULTS = {
    "raises": (
        raising,
        f"{EVALUATOR}: result() fails on the first 8 samples of split 'test': ZeroDivisionError: ",
    ),
    "a dict": (lambda: {"auc": 0.5}, f"{EVALUATOR}: result() gives dict, not a baryon.interfaces."),
    "nothing": (lambda: None, f"{EVALUATOR}: result() gives NoneType, not a baryon.interfaces."),
    "axes": (
        answer(figures={"roc": Figure().subplots()}),
        f"{EVALUATOR}: figure 'roc' is Axes, not a matplotlib.figure.Figure",
    ),
    "a figure in a folder": (
        answer(figures={"roc/test": Figure()}),
        f"{EVALUATOR}: figure 'roc/test' cannot be named so",
    ),
    "an array": (
        answer(metrics={"auc": np.ones(2)}),
        f"{EVALUATOR}: metrics: 'auc' is float64 (2,), not a number",
    ),
    "a tensor": (
        answer(metrics={"auc": torch.ones(1)}),
        f"{EVALUATOR}: metrics: 'auc' is float32 (1,), not a number",
    ),
    "text": (answer(metrics={"auc": "0.5"}), f"{EVALUATOR}: metrics: 'auc' is str, not a number"),
    "a list of metrics": (answer(metrics=[0.5]), f"{EVALUATOR}: metrics must be a mapping by name"),
    "no sentence": (answer(summary=0.5), f"{EVALUATOR}: its summary is float, not a sentence"),
    "one warning": (answer(warnings="few"), f"{EVALUATOR}: its warnings are str, not a list of"),
    "a row too short": (
        answer(tables={"t": Table(("a", "b"), [(1,)])}),
        f"{EVALUATOR}: table 't' has 2 columns and a row of 1 cells",
    ),
    "a cell of many": (
        answer(tables={"t": Table(("a",), [([1, 2],)])}),
        f"{EVALUATOR}: table 't' has a cell that is list, not text or a number",
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_an_evaluator_that_answers_what_cannot_be_written(refused, name):
    result, says = RESULTS[name]
    assert refused(evaluator=Evaluator(result)).startswith(says)


def test_too_little_data_for_an_answer_is_no_fault(trial):
    trial(evaluator=Evaluator(too_little))


def test_an_evaluator_that_takes_no_batch(refused):
    def missing(output, batch):
        batch["weight"].sum()

    def wrong(output, batch):
        output["logits"]

    assert refused(evaluator=Evaluator(update=missing)).startswith(
        f"{EVALUATOR} needs 'weight' in each batch, which this dataset does not give; it gives "
        "inputs, label, keys"
    )
    assert refused(evaluator=Evaluator(update=wrong)).startswith(f"{EVALUATOR}: update() fails: ")


def test_a_state_that_cannot_be_sent_matters_among_several_processes(trial, refused):
    class Unsendable(Evaluator):
        def state(self):
            return lambda: self._seen

    trial(evaluator=Unsendable())
    says = f"{EVALUATOR}: its state() cannot be sent to another process"
    assert refused(evaluator=Unsendable(), shard=DataShard(0, 1, 0, 2)).startswith(says)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"starts": (1, 10)}, "chunk_starts() must ascend from 0 to below its 20 samples"),
        (
            {"read": lambda arrays: {**arrays, "label": arrays["label"] / 2}},
            "read(0, 8) gives 'label' as float64 (8,), but its field says int64 (8,)",
        ),
        ({"read": lambda arrays: raising()}, "read(0, 8) fails: ZeroDivisionError: of few samples"),
    ],
    ids=["chunk starts", "dtype", "raises"],
)
def test_a_split_is_named_that_is_not_what_it_declares(refused, changes, says):
    split = "split 'train' of dataset 'toy' of plugin 'toys': "
    assert refused(dataset=Dataset(**changes)).startswith(split + says)


class Unrelated:
    splits = {"train": Points()}  # noqa: RUF012


def of(splits):
    dataset = Dataset()
    dataset.splits = splits
    return dataset


DATASETS = {
    "no subclass": (Unrelated(), "Unrelated is not a subclass of baryon.interfaces.Dataset"),
    "no mapping": (of([Points()]), "its `splits` is list, not a mapping by name"),
    "a list": (
        of({"train": [1, 2]}),
        "split 'train' is list, which is not a subclass of baryon.interfaces.Split",
    ),
}


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_that_breaks_the_contract_is_named(refused, name):
    dataset, says = DATASETS[name]
    assert refused(dataset=dataset) == f"dataset 'toy' of plugin 'toys': {says}"


def test_a_dataset_without_a_training_split(refused):
    says = "dataset 'toy' of plugin 'toys' has no split 'train', which a run learns from"
    assert refused(dataset=of({"val": Points()})) == says


def sized(*, width: int):
    """A model of a width."""
    return nn.Linear(3, width)


def unannotated(*, width):
    """A model of a width."""
    return nn.Linear(3, width)


def forgetful():
    """Forgets to return it."""


@pytest.mark.parametrize(
    ("factory", "arguments", "says"),
    [
        (sized, {"width": -3}, "model 'toy' (plugin 'toys') cannot be built with these values: "),
        (unannotated, {"width": 2}, "model 'toy' (plugin 'toys'): width cannot be checked: "),
        (forgetful, {}, "model 'toy' (plugin 'toys') has made NoneType, which has no 'parameters'"),
    ],
    ids=["impossible values", "no annotation", "nothing"],
)
def test_a_factory_that_makes_no_model(refused, factory, arguments, says):
    given = {"model": arguments}
    assert refused(factories={"model": factory}, arguments=given).startswith(says)


def lines(path):
    """The log of a run; no bare NaN, which is no JSON."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    text = (path / "metrics.jsonl").read_text()
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


class Measuring:
    """The communicator of one process; it measures with NumPy's numbers."""

    def __new__(cls):
        serial = discover().component("comm", "serial").load()()
        serial.metrics = lambda: {"waiting": np.float32(0.25), "messages": np.int64(3)}
        return serial


@pytest.fixture
def trained(chosen, tmp_path, monkeypatch):
    """Train toys in this process; gives the run's folder."""
    monkeypatch.chdir(tmp_path)

    def run(name, **components):
        config = chosen(factories={"comm": Measuring}, **components)
        config = replace(
            config,
            run=replace(config.run, name=name, root=str(tmp_path / "runs")),
            train=replace(config.train, epochs=2, batch_size=4, log_every_steps=1),
            tracking=replace(config.tracking, tensorboard=False),
        )
        training_run.start(config, plugins(), "toy")
        return tmp_path / "runs" / name

    return run


def test_training_is_the_same_to_the_bit_with_and_without_a_trial(trained, monkeypatch):
    def losses(path):
        return [(line["loss"], line["step"]) for line in lines(path) if "loss" in line]

    def fresh():
        torch.manual_seed(3)
        return Model()

    tried = trained("tried", model=fresh())
    monkeypatch.setattr(training_run, "try_components", lambda *_: None)
    untried = trained("untried", model=fresh())
    assert losses(tried) == losses(untried)
    assert len(losses(tried)) == 12
    one, other = (
        torch.load(path / "checkpoints" / "last.pt", weights_only=True)["model"]
        for path in (tried, untried)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_numbers_of_libraries_are_numbers_in_the_log_and_the_metrics(trained):
    def result():
        return Evaluation("fine", {"auc": np.float32(0.25), "area": torch.tensor(0.5)})

    class Free(Evaluator):
        def result(self):
            return result()

    path = trained("numbers", evaluator=Free())
    assert json.loads((path / "metrics.json").read_text()) == {"auc": 0.25, "area": 0.5}
    train = [line for line in lines(path) if line["kind"] == "train"]
    assert {tuple(line["comm"].items()) for line in train} == {(("waiting", 0.25), ("messages", 3))}


def spoilt(split, row):
    """A dataset whose split has a number that is none in one row."""

    def read(arrays):
        arrays["inputs"][np.isclose(arrays["inputs"][:, 0], row / ROWS)] = np.nan
        return arrays

    dataset = Dataset()
    dataset.splits[split] = Points(read=read)
    return dataset


def test_a_validation_loss_that_is_no_number_ends_the_run_and_says_which_row(trained, tmp_path):
    with pytest.raises(BaryonError) as raised:
        trained("spoilt", dataset=spoilt("val", 17))
    assert str(raised.value).startswith(
        "the validation loss of epoch 1 is not finite (cross_entropy): inputs of row 17 is not "
        "finite of split 'val'; look at the data; "
    )
    kinds = [line["kind"] for line in lines(tmp_path / "runs" / "spoilt")]
    assert "validation" not in kinds


def test_an_output_that_is_no_number_ends_the_evaluation_and_says_which_row(trained, tmp_path):
    with pytest.raises(BaryonError, match="NaN on split 'test': inputs of row 17 is not finite"):
        trained("spoilt", dataset=spoilt("test", 17))
    assert not (tmp_path / "runs" / "spoilt" / "metrics.json").exists()


def test_what_is_refused_leaves_no_folder(trained, tmp_path):
    with pytest.raises(BaryonError, match="returned float32"):
        trained("refused", loss=lambda output, batch: output.mean())
    assert not (tmp_path / "runs").exists()


def test_patience_without_validation_is_refused(chosen):
    alone = Dataset()
    alone.splits = {"train": Points()}
    config = chosen(dataset=alone)
    config = replace(config, train=replace(config.train, patience=3))
    components = build_components(config, plugins(), Comm())
    with pytest.raises(BaryonError, match="the dataset has no split 'val'"):
        try_components(config, plugins(), components)
