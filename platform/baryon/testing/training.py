"""Components together as checks: a batch, one forward and backward, what is saved, the answer.

In the test of a plugin, with the choices that `baryon train` would be given:

    from baryon.testing import check_training

    def test_mine_learns():
        check_training("dataset=my_data", "model=my_model")
"""

from __future__ import annotations

import copy
import io
import math
import pickle
from collections.abc import Mapping
from contextlib import closing
from itertools import islice, pairwise
from typing import Any

import torch

from baryon.config.compose import composed
from baryon.data.contract_check import chunk_bounds, provides, require_declared
from baryon.data.workers.worker_group import pickled_split
from baryon.errors import BaryonError, form, format_error
from baryon.interfaces import Batch, Dataset, Evaluation, Evaluator, Split
from baryon.plugins.answers import checked_evaluation
from baryon.plugins.registry import discover
from baryon.testing.misspelling import require_no_misspelling
from baryon.testing.requirement import require
from baryon.training.build import TRAIN, RunComponents, build_communicator, build_components
from baryon.training.evaluation import naming
from baryon.training.model_runner import each_tensor
from baryon.training.trial_batch import checked_terms

SAMPLES = 8
SMALL = (
    f"train.batch_size={SAMPLES}",
    "data.window_mib=1",
    "data.prefetch=1",
    "data.threads=1",
    "train.device=cpu",
)


def check_training(*choices: str) -> None:
    """Check a few samples of every split, one step, the model's state and the evaluator's answer.

    Parameters
    ----------
    choices
        Options and keys, as `baryon train` takes them.

    Raises
    ------
    AssertionError, BaryonError
        With one line that names the component.

    """
    plugins = discover()
    plugins.check()
    # Choices, not objects: what is checked is what a user gets, the YAML with its overlays and the
    # dataset's usual loss, composed like a run.
    config = composed([*choices, *SMALL], plugins)
    comm = build_communicator(config, plugins)
    with closing(build_components(config, plugins, comm)) as components:
        names = _Names(components.owners)
        require_no_misspelling(names.dataset, components.dataset, Dataset)
        require_no_misspelling(names.evaluator, components.evaluator, Evaluator)
        for name, split in components.dataset.splits.items():
            check_split(f"split {name!r} of {names.dataset}", split)
        check_step(names, components)
        check_mean(names, components)
        check_state(names.model, components.runner.model)
        check_evaluator(names.evaluator, components)


class _Names:
    """What the components are called in a message."""

    def __init__(self, owners: Mapping[str, str]) -> None:
        self.dataset, self.model = owners["dataset"], owners["model"]
        self.loss, self.evaluator = owners["loss"], owners["evaluator"]


def check_split(owner: str, split: Split) -> None:
    """Check that every chunk is what its fields say, and that the split knows its data."""
    bounds = chunk_bounds(split, owner).tolist()
    require(
        split.fields.get("inputs"), f"{owner} has no field 'inputs', which models are called on"
    )
    count = min(SAMPLES, len(split))
    for start, stop in [(0, count), *pairwise(bounds)]:
        call = f"read({start}, {stop})"
        with naming(f"{owner}: {call} fails"):
            arrays = split.read(start, stop)
        require_declared(owner, call, arrays, split.fields, stop - start)
    fingerprint = split.fingerprint()
    require(
        isinstance(fingerprint, str) and fingerprint,
        f"{owner}: fingerprint() must be a text, not {fingerprint!r}",
    )
    check_copy(owner, split, count)
    check_optional_members(owner, split)


def check_optional_members(owner: str, split: Split) -> None:
    """Check that none is misspelt, and that `normalisation` and `raw` agree with `read`."""
    require_no_misspelling(owner, split, Split)
    require(
        provides(split, "normalisation") == provides(split, "raw"),
        f"{owner} must define both normalisation() and raw(), or neither: an export needs the two",
    )


def check_copy(owner: str, split: Split, count: int) -> None:
    """Check that a copy in a reading process reads the same first `count` rows."""
    arrays = split.read(0, count)
    with naming(f"{owner} cannot be opened again from a pickle"):
        copied: Split = pickle.loads(pickled_split(split, owner))  # noqa: S301  our own bytes
    with closing(copied):
        again = copied.read(0, count)
        for name, values in arrays.items():
            require(
                values.tobytes() == again[name].tobytes(),
                f"{owner}: a pickled copy reads other {name!r} in rows 0 to {count - 1}",
            )


def check_step(names: _Names, components: RunComponents) -> None:
    """Check that model and loss take a batch, and that every parameter gets its gradient."""
    with closing(components.loader(TRAIN).shuffled(0)) as shuffled:
        batch = next(shuffled)
    model = components.runner.model.train()
    shape = form(batch["inputs"])
    with naming(f"{names.model} fails on inputs {shape} of {names.dataset}"):
        output = components.runner(batch)
        each_tensor(output, torch.Tensor.detach)  # it is made of tensors
    with naming(
        f"{names.loss} fails on the output of {names.model} and a batch of {names.dataset}"
    ):
        terms = checked_terms(names.loss, components.loss(output, batch))
    for name, term in terms.items():
        finite = torch.isfinite(term)
        require(finite, f"{names.loss}: term {name!r} is {term.item()} on the first batch")
    with naming(f"no gradient flows back from {names.loss} through {names.model}"):
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    # A layer that takes no part is nearly always a mistake; one that is meant to can be frozen.
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            _check_gradient(f"parameter {name!r} of {names.model}", parameter)


def check_mean(names: _Names, components: RunComponents) -> None:
    """Check that a loss term is the mean over the samples of a batch.

    Communicators take the mean of what the workers' parts of a batch give: a sum would make the
    gradient, and so the learning rate, depend on the number of workers.
    """
    with closing(components.loader(TRAIN).shuffled(0)) as shuffled:
        batch = next(shuffled)
    count = len(batch["keys"])
    if count < 2:
        return
    cut = max(1, count // 3)  # parts of two sizes: the mean of their terms must be weighted
    whole, repeated = _terms(components, batch, 0, count), _terms(components, batch, 0, count)
    parts = [_terms(components, batch, 0, cut), _terms(components, batch, cut, count)]
    for name, value in whole.items():
        if not _close(value, repeated[name]):
            continue  # it draws random numbers
        first, second = (part.get(name, 0.0) for part in parts)
        mean = (cut * first + (count - cut) * second) / count
        is_sum = _close(value, first + second) and not _close(value, mean)
        require(
            not is_sum,
            f"{names.loss}: term {name!r} is the sum over the samples of a batch: divide it by "
            "their number, for several workers each take a part of a batch, of which the mean is "
            "taken",
        )
        require(
            _close(value, mean),
            f"{names.loss}: term {name!r} of {count} samples is {value:.4g}, but of {cut} and of "
            f"the other {count - cut} it is {mean:.4g} in the mean: it must be a mean over the "
            "samples, for several workers each take a part of a batch",
        )


def _terms(components: RunComponents, batch: Batch, start: int, stop: int) -> dict[str, float]:
    """Return the loss terms of some samples, of a model that evaluates: each by itself."""
    part = {name: tensor[start:stop] for name, tensor in batch.items()}
    components.runner.model.eval()
    with torch.inference_mode():
        terms = components.loss(components.runner(part), part)
    return {name: float(term) for name, term in terms.items()}


def _close(value: float, other: float) -> bool:
    return math.isclose(value, other, rel_tol=1e-3, abs_tol=1e-6)


def _check_gradient(owner: str, parameter: torch.nn.Parameter) -> None:
    require(
        parameter.grad is not None,
        f"{owner} gets no gradient: use it in forward, or freeze it with requires_grad_(False)",
    )
    require(torch.isfinite(parameter.grad).all(), f"{owner}: its gradient is not finite")  # type: ignore[arg-type]


def check_state(owner: str, model: torch.nn.Module) -> None:
    """Check that its weights come back from a checkpoint, which runs no code as it is read."""
    file = io.BytesIO()
    with naming(f"{owner}: its state_dict() cannot be kept in a checkpoint"):
        torch.save(model.state_dict(), file)
        file.seek(0)
        model.load_state_dict(torch.load(file, weights_only=True))


def check_evaluator(owner: str, components: RunComponents) -> None:
    """Check that its state travels between ranks, and two halves merged answer like the whole."""
    with closing(components.loader(components.evaluation_split).in_order()) as in_order:
        batches = list(islice(in_order, 2))
    whole, halves = copy.deepcopy(components.evaluator), []
    with naming(f"{owner}: update() fails on the model's output and a batch"):
        for batch in batches:
            half = copy.deepcopy(components.evaluator)
            for evaluator in (whole, half):
                evaluator.update(_output(components, batch), batch)
            halves.append(half)
    first, *others = halves
    for other in others:
        with naming(f"{owner}: its state() cannot be pickled and merged"):
            first.merge(pickle.loads(pickle.dumps(other.state())))  # noqa: S301  our own bytes
    _check_answers(owner, _answer(owner, whole), _answer(owner, first))


def _output(components: RunComponents, batch: Batch) -> Any:
    components.runner.model.eval()
    with torch.inference_mode():
        return components.runner.to_cpu(components.runner(batch))


def _answer(owner: str, evaluator: Evaluator) -> Evaluation | None:
    """Return the checked answer; None where it says that so few samples are too little."""
    try:
        answer = evaluator.result()
    except BaryonError:
        return None
    except Exception as error:  # a stranger's component may raise anything
        raise AssertionError(f"{owner}: result() fails: {format_error(error)}") from error
    answer = checked_evaluation(owner, answer)
    _check_judged_by(owner, answer)
    return answer


def _check_judged_by(owner: str, answer: Evaluation) -> None:
    """Raise `AssertionError` if runs are to be compared by a metric that the answer lacks.

    A comparison would pass over it in silence; a metric that is not known belongs there as NaN.
    """
    for decisive in answer.judged_by:
        require(
            decisive.removeprefix("-") in answer.metrics,
            f"{owner}: judged_by names {decisive!r}, which is not one of its metrics: choose from: "
            f"{', '.join(answer.metrics)}",
        )


def _check_answers(owner: str, whole: Evaluation | None, merged: Evaluation | None) -> None:
    if whole is None or merged is None:
        require(whole is merged, f"{owner} answers on the whole but not on two halves merged")
        return
    require(
        set(whole.metrics) == set(merged.metrics)
        and all(_alike(value, merged.metrics[name]) for name, value in whole.metrics.items()),
        f"{owner}: two halves merged answer {dict(merged.metrics)}, the whole "
        f"{dict(whole.metrics)}",
    )


def _alike(value: float, other: float) -> bool:
    return math.isclose(value, other, rel_tol=1e-6, abs_tol=1e-9) or (
        math.isnan(value) and math.isnan(other)
    )
