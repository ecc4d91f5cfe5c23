"""Try model, loss and evaluator on a few samples before anything is trained.

What does not fit together, or what a plugin got wrong, becomes one line now instead of a traceback
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

from baryon.config.config import Config
from baryon.config.option_values import option_values
from baryon.data.contract_check import (
    KEYS,
    chunk_bounds,
    provides,
    require_augmented,
    require_declared,
)
from baryon.data.decoding import sample_bytes
from baryon.errors import BaryonError, form
from baryon.figures import without_layout
from baryon.interfaces import Batch, Loss, Split
from baryon.plugins.answers import checked_evaluation
from baryon.plugins.components import Choice, prepare
from baryon.plugins.failures import format_failure
from baryon.plugins.registry import Plugins
from baryon.training import rng
from baryon.training.build import TRAIN, VALIDATION, RunComponents
from baryon.training.evaluation import naming, show_batch
from baryon.training.model_runner import ModelRunner, each_tensor

LEAST_SAMPLES, MOST_SAMPLES = 2, 8
"""At least two, for a layer that normalises over the batch may refuse a single one."""
MOST_BYTES = 2**21
"""Bytes that the samples may take, if these are more than `LEAST_SAMPLES`."""
PLAIN_TYPES = (int, float, str, NoneType)
"""Types of attributes that a module's forward may change, such as counters; they are put back."""
RESERVED = frozenset(
    {"kind", "step", "steps", "epoch", "seconds", "samples", "samples to read"}
    | {"samples_per_second", "tflops_per_second", "mfu", "ms", "comm"}
)
"""What a line of the log has beside the loss terms."""


def try_components(config: Config, plugins: Plugins, components: RunComponents) -> None:
    """Try the components of a run on the first samples of each split, without compiling.

    An evaluator may refuse so few samples by a `BaryonError` of its `result()`.

    Raises
    ------
    BaryonError
        If anything fails; the message names plugin, component and cause.

    """
    with _unchanged(components.runner), warnings.catch_warnings(action="ignore"):
        trial = TrialBatch(config, plugins, components)
        trial.learn()
        if VALIDATION in components.dataset.splits:
            trial.validate()
        trial.evaluate()


class TrialBatch:
    """Tries the components of a run as training, validation and evaluation use them."""

    def __init__(self, config: Config, plugins: Plugins, components: RunComponents) -> None:
        self._config, self._plugins, self._components = config, plugins, components
        self._owners = components.owners
        with naming(f"{self._owners['loss']} cannot be copied"):
            # A loss may count its calls: its copy is called.
            self._loss: Loss = copy.deepcopy(components.loss)
        if not any(p.requires_grad for p in components.runner.model.parameters()):
            raise BaryonError(f"{self._owners['model']} has no parameters that could learn")
        if config.train.patience is not None and VALIDATION not in components.dataset.splits:
            raise BaryonError(
                "train.patience counts validations, and the dataset has no split "
                f"{VALIDATION!r}: give dataset.{VALIDATION}=<files>, or train.patience=null"
            )

    def learn(self) -> None:
        """Compute the loss terms of some training samples, as in a step."""
        components = self._components
        batch = self._batch(TRAIN, augmented=True)
        components.runner.train()
        output = self._output(batch, TRAIN)
        terms = self._terms(output, batch, TRAIN)
        if not any(term.requires_grad for term in terms.values()):
            raise BaryonError(
                f"no gradient flows back from {self._owners['loss']} through "
                f"{self._owners['model']}: is something detached, or computed without torch?"
            )

    @torch.no_grad()
    def validate(self) -> None:
        """Compute the loss terms of some validation samples, which may have other shapes."""
        batch = self._batch(VALIDATION)
        self._components.runner.model.eval()
        self._terms(self._output(batch, VALIDATION), batch, VALIDATION)

    @torch.no_grad()
    def evaluate(self) -> None:
        """Show some samples to a copy of the evaluator, and ask it for a result."""
        components, owner = self._components, self._owners["evaluator"]
        split = components.evaluation_split
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
            return  # so few samples are too few for it
        except Exception as error:  # a plugin's component may raise anything
            raise BaryonError(
                f"{owner}: result() fails on the first {count} samples of split {split!r}: "
                f"{format_failure(error)}; if so few are too little, let it raise BaryonError"
            ) from error
        checked_evaluation(owner, answer)

    def _batch(self, name: str, *, augmented: bool = False) -> Batch:
        """Read the first samples of a split, and copy them to the model's device."""
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
        """Return a small number of samples, no larger than what training computes at once."""
        by_bytes = MOST_BYTES // max(1, sample_bytes(split))
        shard, train = self._components.comm.shard, self._config.train
        of_worker = -(-train.batch_size // (shard.num_groups * shard.group_size))
        at_once = min(of_worker, train.micro_batch or of_worker)
        return min(max(LEAST_SAMPLES, min(MOST_SAMPLES, by_bytes)), at_once, len(split))

    def _output(self, batch: Batch, split: str) -> Any:
        model, dataset = self._owners["model"], self._owners["dataset"]
        inputs = form(batch["inputs"])
        with naming(f"{model} fails on inputs {inputs} of split {split!r} of {dataset}"):
            output = self._components.runner(batch, eager=True)
            each_tensor(output, torch.Tensor.detach)  # raises if it is not made of tensors
        return output

    def _terms(self, output: Any, batch: Batch, split: str) -> dict[str, torch.Tensor]:
        loss = self._owners["loss"]
        try:
            terms = self._loss(output, batch)
        except Exception as error:  # a plugin's component may raise anything
            cause = str(error) if isinstance(error, BaryonError) else format_failure(error)
            raise BaryonError(
                f"{loss} fails on the output of {self._owners['model']} and split {split!r} of "
                f"{self._owners['dataset']}: {cause}; {self._fitting(output, batch)}"
            ) from error
        return checked_terms(loss, terms)

    def _fitting(self, output: Any, batch: Batch) -> str:
        """Say which installed losses, with their defaults, take this output and batch."""

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
    """Read the first samples of a split and check them against its fields.

    Parameters
    ----------
    owner
        How messages name the split.
    split
        The split.
    count
        Number of samples.
    augmented
        Whether to augment them, if the split can.

    Raises
    ------
    BaryonError
        If the split raises, or gives anything else than its fields say.

    """
    call = f"read(0, {count})"
    with naming(f"{owner}: {call} fails"):
        arrays = split.read(0, count)
    require_declared(owner, call, arrays, split.fields, count)
    batch = {name: _native_copy(values) for name, values in arrays.items()}
    batch[KEYS] = np.arange(count)
    if augmented and provides(split, "augment"):
        with naming(f"{owner}: augment fails on {count} samples"):
            changed = split.augment(batch, np.random.default_rng(0))
        require_augmented(owner, changed, split.augmented_fields, count)
        batch = {name: _native_copy(values) for name, values in changed.items()}
    with naming(f"{owner}: its fields are no tensors"):
        return {name: torch.from_numpy(values) for name, values in batch.items()}


def _native_copy(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Copy an array, which may be memory of the split, into this machine's byte order."""
    return np.array(values, dtype=values.dtype.newbyteorder("="))


def checked_terms(owner: str, terms: object) -> dict[str, torch.Tensor]:
    """Return loss terms; raise `BaryonError`, said of `owner`, unless they are named scalars."""
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
    attributes = [
        (
            module,
            {name: value for name, value in vars(module).items() if isinstance(value, PLAIN_TYPES)},
        )
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
        for module, values_by_name in attributes:
            vars(module).update(values_by_name)
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
        rng.set_random_state(of_torch, runner.device)
