"""Components together as checks: a batch, one forward and backward, what is saved, the answer.

In the test of a plugin, with the choices that `baryon train` would be given:

    from baryon.testing import check_training

    def test_mine_learns():
        check_training("dataset=my_data", "model=my_model")

What fails is an `AssertionError` or a `BaryonError` with one line that names the component.
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

from baryon.config.config import composed
from baryon.data.contract_check import chunk_bounds, provides, require_declared
from baryon.data.workers.worker_group import pickled_split
from baryon.errors import BaryonError, form, format_error
from baryon.interfaces import Batch, Dataset, Evaluation, Evaluator, Split
from baryon.plugins.answers import checked_evaluation
from baryon.plugins.registry import discover
from baryon.testing.misspelling import require_no_misspelling
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
    """A few samples of every split, one step, the model's state and the evaluator's answer."""
    plugins = discover()
    plugins.check()
    config = composed([*choices, *SMALL], plugins)
    comm = build_communicator(config, plugins)
    with closing(build_components(config, plugins, comm)) as components:
        who = _Who(components.owners)
        require_no_misspelling(who.dataset, components.dataset, Dataset)
        require_no_misspelling(who.evaluator, components.evaluator, Evaluator)
        for name, split in components.dataset.splits.items():
            check_split(f"split {name!r} of {who.dataset}", split)
        check_step(who, components)
        check_mean(who, components)
        check_state(who.model, components.runner.model)
        check_evaluator(who.evaluator, components)


class _Who:
    """How the components are named in a message."""

    def __init__(self, owners: Mapping[str, str]) -> None:
        self.dataset, self.model = owners["dataset"], owners["model"]
        self.loss, self.evaluator = owners["loss"], owners["evaluator"]


def check_split(who: str, split: Split) -> None:
    """Every chunk is what its fields say, the chunks start in order, and it knows its data."""
    bounds = chunk_bounds(split, who).tolist()
    _require(split.fields.get("inputs"), f"{who} has no field 'inputs', which models are called on")
    count = min(SAMPLES, len(split))
    for start, stop in [(0, count), *pairwise(bounds)]:
        call = f"read({start}, {stop})"
        with naming(f"{who}: {call} fails"):
            arrays = split.read(start, stop)
        require_declared(who, call, arrays, split.fields, stop - start)
    mark = split.fingerprint()
    _require(isinstance(mark, str) and mark, f"{who}: fingerprint() must be a text, not {mark!r}")
    check_copy(who, split, count)
    check_optional_members(who, split)


def check_optional_members(who: str, split: Split) -> None:
    """Check that none is misspelt, and that `normalisation` and `raw` agree with `read`."""
    require_no_misspelling(who, split, Split)
    _require(
        provides(split, "normalisation") == provides(split, "raw"),
        f"{who} must define both normalisation() and raw(), or neither: an export needs the two",
    )


def check_copy(who: str, split: Split, count: int) -> None:
    """It can be sent to reading processes, and reads the same first `count` rows there."""
    arrays = split.read(0, count)
    with naming(f"{who} cannot be opened again from a pickle"):
        copied: Split = pickle.loads(pickled_split(split, who))  # noqa: S301  our own bytes
    with closing(copied):
        again = copied.read(0, count)
        for name, values in arrays.items():
            _require(
                values.tobytes() == again[name].tobytes(),
                f"{who}: a pickled copy reads other {name!r} in rows 0 to {count - 1}",
            )


def check_step(who: _Who, components: RunComponents) -> None:
    """The model takes the batch, the loss its output, and every parameter gets its gradient."""
    with closing(components.loader(TRAIN).shuffled(0)) as shuffled:
        batch = next(shuffled)
    model = components.runner.model.train()
    shape = form(batch["inputs"])
    with naming(f"{who.model} fails on inputs {shape} of {who.dataset}"):
        output = components.runner(batch)
        each_tensor(output, torch.Tensor.detach)  # it is made of tensors
    with naming(f"{who.loss} fails on the output of {who.model} and a batch of {who.dataset}"):
        terms = checked_terms(who.loss, components.loss(output, batch))
    for name, term in terms.items():
        finite = torch.isfinite(term)
        _require(finite, f"{who.loss}: term {name!r} is {term.item()} on the first batch")
    with naming(f"no gradient flows back from {who.loss} through {who.model}"):
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            _check_gradient(f"parameter {name!r} of {who.model}", parameter)


def check_mean(who: _Who, components: RunComponents) -> None:
    """A term of a batch is the mean over its samples: of two parts of it, weighted by their sizes.

    Communicators take the mean of what the workers' parts of a batch give.
    """
    with closing(components.loader(TRAIN).shuffled(0)) as shuffled:
        batch = next(shuffled)
    count = len(batch["keys"])
    if count < 2:
        return
    cut = max(1, count // 3)  # parts of two sizes: the mean of their terms must be weighted
    whole, again = _terms(components, batch, 0, count), _terms(components, batch, 0, count)
    halves = [_terms(components, batch, 0, cut), _terms(components, batch, cut, count)]
    shares = [cut / count, 1 - cut / count]
    for name, value in whole.items():
        if not _close(value, again[name]):
            continue  # it draws random numbers
        mean = sum(share * half.get(name, 0.0) for share, half in zip(shares, halves, strict=True))
        _require(
            _close(value, mean),
            f"{who.loss}: term {name!r} of {count} samples is {value:.4g}, but of {cut} and of the "
            f"other {count - cut} it is {mean:.4g} in the mean: it must be a mean over the "
            "samples, for several workers each take a part of a batch",
        )


def _terms(components: RunComponents, batch: Batch, start: int, stop: int) -> dict[str, float]:
    """The loss terms of some samples, of a model that evaluates: each by itself."""
    some = {name: tensor[start:stop] for name, tensor in batch.items()}
    components.runner.model.eval()
    with torch.inference_mode():
        terms = components.loss(components.runner(some), some)
    return {name: float(term) for name, term in terms.items()}


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-6)


def _check_gradient(who: str, parameter: torch.nn.Parameter) -> None:
    _require(
        parameter.grad is not None,
        f"{who} gets no gradient: use it in forward, or freeze it with requires_grad_(False)",
    )
    _require(torch.isfinite(parameter.grad).all(), f"{who}: its gradient is not finite")  # type: ignore[arg-type]


def check_state(who: str, model: torch.nn.Module) -> None:
    """Its weights come back from a checkpoint, which is read without running any code."""
    file = io.BytesIO()
    with naming(f"{who}: its state_dict() cannot be kept in a checkpoint"):
        torch.save(model.state_dict(), file)
        file.seek(0)
        model.load_state_dict(torch.load(file, weights_only=True))


def check_evaluator(who: str, components: RunComponents) -> None:
    """Its state travels between ranks, and two halves merged answer like the whole."""
    with closing(components.loader(components.held_out).in_order()) as in_order:
        batches = list(islice(in_order, 2))
    whole, halves = copy.deepcopy(components.evaluator), []
    with naming(f"{who}: update() fails on the model's output and a batch"):
        for batch in batches:
            half = copy.deepcopy(components.evaluator)
            for each in (whole, half):
                each.update(_output(components, batch), batch)
            halves.append(half)
    first, *others = halves
    for other in others:
        with naming(f"{who}: its state() cannot be pickled and merged"):
            first.merge(pickle.loads(pickle.dumps(other.state())))  # noqa: S301  our own bytes
    _check_answers(who, _answer(who, whole), _answer(who, first))


def _output(components: RunComponents, batch: Batch) -> Any:
    components.runner.model.eval()
    with torch.inference_mode():
        return components.runner.to_cpu(components.runner(batch))


def _answer(who: str, evaluator: Evaluator) -> Evaluation | None:
    """None where it says that so few samples are too little."""
    try:
        answer = evaluator.result()
    except BaryonError:
        return None
    except Exception as error:  # a stranger's component may raise anything
        raise AssertionError(f"{who}: result() fails: {format_error(error)}") from error
    answer = checked_evaluation(who, answer)
    _check_judged_by(who, answer)
    return answer


def _check_judged_by(who: str, answer: Evaluation) -> None:
    """Raise `AssertionError` if runs are to be compared by a metric that the answer lacks.

    A comparison would pass over it in silence; a metric that is not known belongs there as NaN.
    """
    for decisive in answer.judged_by:
        _require(
            decisive.removeprefix("-") in answer.metrics,
            f"{who}: judged_by names {decisive!r}, which is none of its metrics: choose from: "
            f"{', '.join(answer.metrics)}",
        )


def _check_answers(who: str, whole: Evaluation | None, merged: Evaluation | None) -> None:
    if whole is None or merged is None:
        _require(whole is merged, f"{who} answers on the whole but not on two halves merged")
        return
    _require(
        set(whole.metrics) == set(merged.metrics)
        and all(_alike(value, merged.metrics[name]) for name, value in whole.metrics.items()),
        f"{who}: two halves merged answer {dict(merged.metrics)}, the whole {dict(whole.metrics)}",
    )


def _alike(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9) or (
        math.isnan(one) and math.isnan(other)
    )


def _require(holds: object, fault: str) -> None:
    if not holds:
        raise AssertionError(fault)
