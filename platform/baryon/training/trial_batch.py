"""A few samples through model, loss and evaluator before anything is trained.

What does not fit together, and what a plugin got wrong, is one line now instead of a traceback
after hours of training. Nothing that the training depends on is changed by it.
"""

from __future__ import annotations

import copy
import pickle
import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import NoneType
from typing import Any

import numpy as np
import torch

from baryon.config.config import Config, option_values
from baryon.data.contract_check import (
    KEYS,
    chunk_bounds,
    provides,
    require_augmented,
    require_declared,
)
from baryon.data.decoding import sample_bytes
from baryon.errors import BaryonError, form, format_error
from baryon.interfaces import Batch, Loss, Split
from baryon.plugins.answers import checked_evaluation
from baryon.plugins.components import Choice, prepare
from baryon.plugins.registry import Plugins
from baryon.report.figures import without_layout
from baryon.training import rng
from baryon.training.build import TRAIN, VALIDATION, RunComponents
from baryon.training.evaluation import naming, show_batch
from baryon.training.model_runner import ModelRunner, each_tensor

LEAST, MOST = 2, 8
"""Samples of a trial: two, for a layer that normalises over the batch may refuse a single one."""
MOST_BYTES = 2**21
"""Bytes of its samples, beyond `LEAST` of them."""
PLAIN = (int, float, str, NoneType)
"""Attributes of a module that a forward may change, as counters are, and that are put back."""
RESERVED = frozenset(
    {"kind", "step", "steps", "epoch", "seconds", "samples", "samples to read"}
    | {"samples_per_second", "tflops_per_second", "mfu", "ms", "comm"}
)
"""What a line of the log has beside the loss terms."""


def try_components(config: Config, plugins: Plugins, components: RunComponents) -> None:
    """Try the components of a run on the first samples of each split, eagerly.

    Raises `BaryonError` that names plugin, component and cause. An evaluator may say that so few
    samples are too little, which is a `BaryonError` of its `result()`.
    """
    with _unchanged(components.runner), warnings.catch_warnings(action="ignore"):
        trial = TrialBatch(config, plugins, components)
        trial.learn()
        if VALIDATION in components.dataset.splits:
            trial.validate()
        trial.evaluate()


class TrialBatch:
    """The components of a run with the first samples of its splits."""

    def __init__(self, config: Config, plugins: Plugins, components: RunComponents) -> None:
        self._config, self._plugins, self._components = config, plugins, components
        self._owners = components.owners
        with naming(f"{self._owners['loss']} cannot be copied"):
            self._loss: Loss = copy.deepcopy(components.loss)  # it may count its calls
        if not any(p.requires_grad for p in components.runner.model.parameters()):
            raise BaryonError(f"{self._owners['model']} has no parameters that could learn")

    def learn(self) -> None:
        """As in a step: a batch of the training split, the output, the loss terms."""
        components = self._components
        batch = self._batch(TRAIN, augmented=True)
        components.runner.model.train()
        output = self._output(batch, TRAIN)
        terms = self._terms(output, batch, TRAIN)
        if not any(term.requires_grad for term in terms.values()):
            raise BaryonError(
                f"no gradient flows back from {self._owners['loss']} through "
                f"{self._owners['model']}: is something detached, or computed without torch?"
            )

    @torch.no_grad()
    def validate(self) -> None:
        """As after an epoch, whose samples may have other shapes than the augmented ones."""
        batch = self._batch(VALIDATION)
        self._components.runner.model.eval()
        self._terms(self._output(batch, VALIDATION), batch, VALIDATION)

    @torch.no_grad()
    def evaluate(self) -> None:
        """As in the end."""
        components, owner, split = (
            self._components,
            self._owners["evaluator"],
            self._components.held_out,
        )
        batch = self._batch(split)
        components.runner.model.eval()
        output = components.runner.to_cpu(self._output(batch, split))
        batch = {name: tensor.cpu() for name, tensor in batch.items()}
        with naming(f"{owner} cannot be copied"):
            evaluator = copy.deepcopy(components.evaluator)
        show_batch(owner, evaluator, output, batch)
        with naming(f"{owner}: state() fails"):
            seen = evaluator.state()
        shard = components.comm.shard
        if shard.num_groups * shard.group_size > 1:
            with naming(f"{owner}: its state() cannot be sent to another process"):
                pickle.dumps(seen)
        count = len(batch[KEYS])
        try:
            with without_layout():
                answer = evaluator.result()
        except BaryonError:
            return  # so few samples are too little
        except Exception as error:  # a stranger's component may raise anything
            raise BaryonError(
                f"{owner}: result() fails on the first {count} samples of split {split!r}: "
                f"{format_error(error)}; if so few are too little, let it raise BaryonError"
            ) from error
        checked_evaluation(owner, answer)

    def _batch(self, name: str, *, augmented: bool = False) -> Batch:
        """The first samples of a split, on the model's device."""
        split = self._components.dataset.splits[name]
        owner = f"split {name!r} of {self._owners['dataset']}"
        chunk_bounds(split, owner)
        if "inputs" not in split.fields:
            raise BaryonError(f"{owner} has no field 'inputs', which models are called on")
        if len(split) == 0:
            raise BaryonError(f"{owner} has no samples: give dataset.{name} other files")
        return self._components.runner.to_device(
            first_samples(owner, split, self._count(split), augmented=augmented)
        )

    def _count(self, split: Split) -> int:
        """Few samples; no more than go through the network at once in training."""
        by_bytes = MOST_BYTES // max(1, sample_bytes(split))
        shard, train = self._components.comm.shard, self._config.train
        own = -(-train.batch_size // (shard.num_groups * shard.group_size))
        at_once = min(own, train.micro_batch or own)
        return min(max(LEAST, min(MOST, by_bytes)), at_once, len(split))

    def _output(self, batch: Batch, split: str) -> Any:
        model, dataset = self._owners["model"], self._owners["dataset"]
        inputs = form(batch["inputs"])
        with naming(f"{model} fails on inputs {inputs} of split {split!r} of {dataset}"):
            output = self._components.runner(batch, eager=True)
            each_tensor(output, torch.Tensor.detach)  # it is made of tensors
        return output

    def _terms(self, output: Any, batch: Batch, split: str) -> dict[str, torch.Tensor]:
        loss = self._owners["loss"]
        try:
            terms = self._loss(output, batch)
        except Exception as error:  # a stranger's component may raise anything
            cause = str(error) if isinstance(error, BaryonError) else format_error(error)
            raise BaryonError(
                f"{loss} fails on the output of {self._owners['model']} and split {split!r} of "
                f"{self._owners['dataset']}: {cause}; {self._fitting(output, batch)}"
            ) from error
        return checked_terms(loss, terms)

    def _fitting(self, output: Any, batch: Batch) -> str:
        """Which installed losses, with their defaults, take this output and batch."""

        def fits(name: str) -> bool:
            try:
                values = option_values(name, "loss", name, self._plugins)
                choice = Choice("loss", values.pop("name", name), values)
                loss: Loss = prepare(self._plugins, choice)()
                checked_terms(name, loss(output, batch))
            except Exception:  # noqa: BLE001  that is the answer
                return False
            return True

        others = sorted(set(self._plugins.components("loss")) - {self._config.choices["loss"].name})
        fitting = [name for name in others if fits(name)]
        if fitting:
            return f"losses that fit: {', '.join(fitting)}"
        return "no other installed loss fits them: choose another model"


def first_samples(owner: str, split: Split, count: int, *, augmented: bool) -> Batch:
    """Read the first samples of a split, held against its fields.

    Raises `BaryonError`, said of `owner`, for what it gives otherwise, or raises.
    """
    call = f"read(0, {count})"
    with naming(f"{owner}: {call} fails"):
        arrays = split.read(0, count)
    require_declared(owner, call, arrays, split.fields, count)
    batch = {name: _own(values) for name, values in arrays.items()}
    batch[KEYS] = np.arange(count)
    if augmented and provides(split, "augment"):
        with naming(f"{owner}: augment fails on {count} samples"):
            changed = split.augment(batch, np.random.default_rng(0))
        require_augmented(owner, changed, split.augmented_fields, count)
        batch = {name: _own(values) for name, values in changed.items()}
    with naming(f"{owner}: its fields are no tensors"):
        return {name: torch.from_numpy(values) for name, values in batch.items()}


def _own(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy in this machine's byte order, for `values` may be the split's own memory."""
    return np.array(values, dtype=values.dtype.newbyteorder("="))


def checked_terms(owner: str, terms: object) -> dict[str, torch.Tensor]:
    """Return loss terms. Raises `BaryonError`, said of `owner`, unless they are named scalars."""
    if not isinstance(terms, Mapping):
        raise BaryonError(
            f"{owner} returned {form(terms)}, not a mapping of its terms by name, such as "
            "{'cross_entropy': term}"
        )
    if not terms:
        raise BaryonError(f"{owner} returned no terms: it must name at least one")
    for name, term in terms.items():
        if not isinstance(name, str) or name in RESERVED or (name == "loss" and len(terms) > 1):
            raise BaryonError(
                f"{owner}: a term cannot be named {name!r}, which means something else in the log"
            )
        if not isinstance(term, torch.Tensor) or term.shape != ():
            raise BaryonError(f"{owner}: term {name!r} is {form(term)}, not a tensor of one number")
    return dict(terms)


@contextmanager
def _unchanged(runner: ModelRunner) -> Iterator[None]:
    """Put weights, buffers, modes, counters and random numbers back to what they were."""
    model = runner.model
    plain = [
        (module, {name: value for name, value in vars(module).items() if isinstance(value, PLAIN)})
        for module in model.modules()
    ]
    buffers = dict(model.named_buffers())
    tensors = [*model.parameters(), *buffers.values()]
    values = [tensor.detach().clone() for tensor in tensors]
    of_torch = rng.random_state(runner.device)
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  a plugin's
    try:
        yield
    finally:
        for name, buffer in buffers.items():  # forward may have put another in its place
            owner, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(owner), leaf, buffer)
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                if not torch.equal(tensor, value):
                    tensor.copy_(value)
        for module, values_by_name in plain:
            vars(module).update(values_by_name)
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
        rng.set_random_state(of_torch, runner.device)
