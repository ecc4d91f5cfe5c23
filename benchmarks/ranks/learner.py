"""Train the HEP network on a batch in memory, as the ranks of a benchmark do."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from baryon.interfaces import Field
from baryon.system.allocator import keep_freed_memory
from baryon.testing.toy_training import train
from baryon.training.optimizers import ScheduledOptimizerFactory
from baryon_hep.model.hep_cnn import hep_cnn

STEPS = 10**6


class Learner:
    """`hep_cnn` with `filters` filters, and `batch` random images of `size` x `size` a rank."""

    def __init__(self, *, size: int, batch: int, filters: int = 128, seed: int = 1) -> None:
        torch.set_num_threads(1)
        keep_freed_memory()  # as `baryon train` does on a CPU
        torch.manual_seed(seed)
        fields = {"inputs": Field((3, size, size), "float32")}
        self.batch = batch
        self.model = hep_cnn(
            filters=filters,
            dropout=0.0,
            leakiness=0.0,
            padding="zeros",
            kernels="plain",
            fields=fields,
        )
        self.model = self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = torch.rand(batch, 3, size, size)
        self.images = images.to(memory_format=torch.channels_last)
        self.labels = torch.arange(batch) % 2

    def backward(self, model: nn.Module | None = None) -> None:
        """Compute loss and gradients."""
        cross_entropy((model or self.model)(self.images), self.labels).backward()  # type: ignore[no-untyped-call]

    @staticmethod
    def updates() -> ScheduledOptimizerFactory:
        """Return the factory of Adam, as the engine makes it for any communicator."""
        return ScheduledOptimizerFactory(train(optimizer="adam", learning_rate=1e-4), STEPS, STEPS)
