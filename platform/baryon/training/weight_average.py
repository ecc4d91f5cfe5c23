"""Average the weights of a training over its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from baryon.errors import LeaderDiedError
from baryon.interfaces import Communicator
from baryon.training.checkpoints.schema import require_average


class WeightAverage:
    """Keep an exponential moving average of the trained weights (arXiv:1703.01780).

    After step t, counted from 0, it is d times what it was and 1 - d times the new weights, with
    d = min(decay, (1 + t) / (10 + t)): the smaller decay of the first steps lets it forget the
    random weights that it begins with.

    Buffers are not averaged: the running statistics of a batch normalisation are averages of their
    own, and the model's are used with averaged weights as well.

    Every worker averages the weights that it computes with. Where these differ between workers (in
    groups of their own, or between two averages of `local_sgd`), the leader's average is given to
    all by `synchronize`, before it is validated or saved.
    """

    def __init__(self, model: torch.nn.Module, decay: float | None) -> None:
        """With a `decay` of None nothing is averaged, and every method does nothing."""
        self._decay = decay
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        named = named if decay is not None else []
        self._names = [name for name, _ in named]
        self._parameters = [parameter for _, parameter in named]
        self._averages: list[torch.Tensor] = []

    def start(self) -> None:
        """Begin with the weights that the model has."""
        self._averages = [parameter.detach().clone() for parameter in self._parameters]

    @property
    def is_kept(self) -> bool:
        """Whether there is an average."""
        return bool(self._parameters)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Account for the weights after a step, counted from 0."""
        if self._decay is None or not self._averages:
            return
        decay = min(self._decay, (1 + step) / (10 + step))
        # Not kept from step to step: a communicator may put other memory behind a parameter.
        weights = [parameter.data for parameter in self._parameters]
        torch._foreach_lerp_(self._averages, weights, 1 - decay)

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """Let the model have the averaged weights inside this context."""
        # The memory is exchanged, not copied: what is being saved meanwhile stays as it is.
        weights = [parameter.data for parameter in self._parameters]
        for parameter, average in zip(self._parameters, self._averages, strict=True):
            parameter.data = average
        try:
            yield
        finally:
            for parameter, values in zip(self._parameters, weights, strict=True):
                parameter.data = values

    def synchronize(self, comm: Communicator) -> None:
        """Give all workers the leader's average. Collective."""
        while self.is_kept:
            own = [average.cpu() for average in self._averages] if comm.is_leader else None
            try:
                of_leader = comm.broadcast(own)
            except LeaderDiedError:
                continue  # its successor has an average of its own
            for average, values in zip(self._averages, of_leader, strict=True):
                average.copy_(values)
            return

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the averages by parameter name; none if nothing is averaged."""
        return dict(zip(self._names, self._averages, strict=True))

    def load_state_dict(self, state: Mapping[str, torch.Tensor], path: Path) -> None:
        """Go on from what the checkpoint `path` holds; raise `DamagedError` if it does not fit."""
        require_average(path, state, dict(zip(self._names, self._parameters, strict=True)))
        for name, average in zip(self._names, self._averages, strict=True):
            average.copy_(state[name])
