"""A run of toys in this process: points of two classes, a small network, any communicator."""

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from baryon import interfaces
from baryon.config.compose import composed
from baryon.config.config import Config
from baryon.interfaces import Evaluation, Field, Split
from baryon.plugins.components import Choice
from baryon.plugins.registry import Component, Plugin, Plugins, discover
from baryon.runs import directory
from baryon.training.build import build_components
from baryon.training.checkpoints.folder import load_last
from baryon.training.checkpoints.names import has_checkpoint
from baryon.training.run import _take_initial_weights
from baryon.training.stop_request import StopRequest
from baryon.training.trainer import Trainer
from baryon_comm.serial import Serial

sys.path.insert(0, str(Path(__file__).parent))
KINDS = ("dataset", "model", "loss", "comm", "evaluator")
ROWS = {"train": 44, "val": 20}


class Points(Split):
    """Random points; their class says on which side of a plane they lie."""

    fields = {"inputs": Field((3,), "float32"), "label": Field((), "int64")}  # noqa: RUF012

    def __init__(self, name):
        self._inputs = np.random.default_rng(len(name)).normal(size=(ROWS[name], 3)).astype("f4")

    def __len__(self):
        return len(self._inputs)

    def chunk_starts(self):
        return range(0, len(self), 8)

    def read(self, start, stop):
        inputs = self._inputs[start:stop]
        return {"inputs": inputs.copy(), "label": (inputs.sum(axis=1) > 0).astype("i8")}

    def fingerprint(self):
        return "points"


class Dataset(interfaces.Dataset):
    def __init__(self):
        self.splits = {name: Points(name) for name in ROWS}


class Network(nn.Module):
    """A body with batch normalisation if asked for, and a head."""

    def __init__(self, *, norm: bool, dropout: float):
        super().__init__()
        norms = [nn.BatchNorm1d(8)] if norm else []
        self.body = nn.Sequential(nn.Linear(3, 8), *norms, nn.Tanh(), nn.Dropout(dropout))
        self.head = nn.Linear(8, 2)

    def forward(self, inputs):
        return self.head(self.body(inputs))


def loss():
    return lambda output, batch: {"xent": nn.functional.cross_entropy(output, batch["label"])}


class Evaluator:
    def __init__(self):
        self._right = []

    def update(self, output, batch):
        self._right += (output.argmax(dim=1) == batch["label"]).tolist()

    def state(self):
        return self._right

    def merge(self, state):
        self._right += state

    def result(self):
        accuracy = float(np.mean(self._right))
        return Evaluation(f"accuracy {accuracy:.3f}", {"accuracy": accuracy})


FACTORIES = {"dataset": "Dataset", "model": "Network", "loss": "loss", "comm": "Serial"}
FACTORIES["evaluator"] = "Evaluator"


@cache
def plugins() -> Plugins:
    """The installed plugins, and one of the toys."""
    targets = {kind: f"{__name__}:{name}" for kind, name in FACTORIES.items()}
    toys = [Component(kind, "toy", target, "toys") for kind, target in targets.items()]
    return Plugins([*discover().all, Plugin("toys", "toys", "1", toys)])


@cache
def _demo() -> Config:
    return composed(["experiment=hep_demo", "train.device=cpu"], discover())


def config(*, norm=False, dropout=0.0, **train) -> Config:
    """The demo's, with the toys as its choices and these keys of `train`."""
    small = {
        "batch_size": 8, "epochs": 3, "steps": None, "log_every_steps": 2, "learning_rate": 0.02,
        "schedule": "constant", "warmup_steps": 0, "checkpoint_every_steps": 1000,
        "compile": "never", "precision": "fp32",
    }  # fmt: skip
    arguments = {"model": {"norm": norm, "dropout": dropout}}
    choices = {kind: Choice(kind, "toy", arguments.get(kind, {})) for kind in KINDS}
    demo = _demo()
    section = replace(demo.train, **{**small, **train})
    plain = {**train, "parameter_groups": [vars(g) for g in section.parameter_groups]}
    values = {**demo.values, "train": {**demo.values["train"], **small, **plain}}
    return replace(demo, train=section, choices=choices, values=values)


def trainer(folder: Path, settings: Config, comm=None, **options) -> Trainer:
    """A trainer in a folder, which goes on from the last checkpoint there if there is one."""
    comm = comm or Serial()
    components = build_components(settings, plugins(), comm)
    run = directory.fill(folder)
    goes_on = has_checkpoint(run.checkpoints)
    if comm.is_leader and settings.train.init and not goes_on:
        _take_initial_weights(settings, components)
    made = Trainer(components, settings, run, StopRequest(), **options)
    made.prepare()
    if comm.broadcast(goes_on):
        made.restore(*comm.broadcast(load_last(run.checkpoints) if comm.is_leader else None))
    return made


def break_off(running: Trainer, steps: int) -> None:
    """Take so many steps, then leave off as if the process were killed."""
    taken = running.steps()
    for _ in range(steps):
        next(taken)
    running._checkpoints.finish()


def weights(running: Trainer) -> dict[str, torch.Tensor]:
    """A copy of what the model holds."""
    return {n: v.clone() for n, v in running.components.runner.model.state_dict().items()}


def log(running: Trainer, kind: str) -> list[dict]:
    from baryon.runs.metrics_log import MetricsLog

    return [line for line in MetricsLog(running.run.log).read() if line["kind"] == kind]
