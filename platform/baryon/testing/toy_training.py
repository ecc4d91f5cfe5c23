"""Train a toy regression as a run does: what the checks of communicators learn with."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss

from baryon.config.schemas import Train
from baryon.data.sampling import part_of
from baryon.interfaces import Communicator, OptimizerStep
from baryon.plugins.registry import host_conf
from baryon.training.optimizers import ScheduledOptimizerFactory

SAMPLES, BATCH, STEPS = 60, 12, 10


def train(**changes: Any) -> Train:
    """Return how the checks learn: as `conf/train/default.yaml` says, but SGD on batches of 12.

    With its momentum of 0.9, SGD has a state, and weights that show any fault of a gradient: Adam
    would scale that away.
    """
    settings = {"optimizer": "sgd", "learning_rate": 0.01, "batch_size": BATCH}
    return Train(**(_defaults() | settings | changes))


@cache
def _defaults() -> dict[str, Any]:
    from omegaconf import OmegaConf

    file = OmegaConf.load(host_conf() / "train" / "default.yaml")
    # The schema makes numbers of texts such as `1e-3`.
    values: Any = OmegaConf.to_container(OmegaConf.merge(OmegaConf.structured(Train), file))
    return dict(values)


class Toy:
    """A small regression that every rank can make by itself: model, samples, loss.

    Attributes
    ----------
    model
        Linear layers of 6, 16, 8 and 2 features.
    inputs, targets
        Float tensors of shape (60, 6) and (60, 2), the same on all ranks.

    """

    def __init__(self, model_seed: int = 1, device: torch.device | str = "cpu") -> None:
        # Ranks may be given other seeds, so that `start` has weights to make alike.
        torch.manual_seed(model_seed)
        self.model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 8), nn.Linear(8, 2))
        random = torch.Generator().manual_seed(7)
        self.inputs = torch.randn(SAMPLES, 6, generator=random)
        self.targets = self.inputs[:, :2] * 2 - 1
        self.model.to(device)
        self.inputs, self.targets = self.inputs.to(device), self.targets.to(device)

    def rows(self, step: int, size: int = BATCH) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the rows of a step's batch, over all workers."""
        return (np.arange(size) + step * BATCH) % SAMPLES

    def loss(self, rows: Any) -> torch.Tensor:
        """Return the loss of some rows: the mean over them."""
        return mse_loss(self.model(self.inputs[rows]), self.targets[rows])

    def weights(self) -> torch.Tensor:
        """Return all weights, flat, on the CPU."""
        flat: list[torch.Tensor] = [p.detach().cpu().flatten() for p in self.model.parameters()]
        return torch.cat(flat)


def start(toy: Toy, comm: Communicator) -> None:
    """Start a communicator with the toy's model and the checks' optimizer."""
    comm.start(toy.model, ScheduledOptimizerFactory(train(), STEPS, STEPS))


def learn(
    toy: Toy, comm: Communicator, first: int = 0, steps: int = STEPS, *, size: int = BATCH
) -> None:
    """Train steps from `first` on this worker's part; every batch has `size` samples."""
    for step in range(first, first + steps):
        one_step(toy, comm, step, size=size)


def one_step(
    toy: Toy, comm: Communicator, step: int, *, size: int = BATCH, stop: bool = False
) -> bool:
    """Do a step as the trainer does it; return whether all workers stop behind it."""
    rows = part_of(toy.rows(step, size), comm.shard)
    comm.begin(step, len(rows), BATCH, stop=stop)
    # A worker without samples computes nothing, and yet takes part in the exchange.
    if len(rows):
        toy.loss(rows).backward()  # type: ignore[no-untyped-call]
    return comm.step()


def learn_alone(
    toy: Toy, first: int = 0, steps: int = STEPS, *, size: int = BATCH
) -> OptimizerStep:
    """Train the same steps in one process without a communicator; return the optimizer."""
    update: OptimizerStep = ScheduledOptimizerFactory(train(), STEPS, STEPS)(
        toy.model.named_parameters()
    )
    for step in range(first, first + steps):
        toy.loss(toy.rows(step, size)).backward()  # type: ignore[no-untyped-call]
        update.apply(step)
    return update
