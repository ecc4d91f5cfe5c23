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
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import islice, pairwise
from typing import Any

import numpy as np
import torch

from baryon.config import Config, composed
from baryon.data.processes.readers import sendable
from baryon.errors import BaryonError, told
from baryon.interfaces import Arrays, Batch, Evaluation, Evaluator, Split
from baryon.plugins import Plugins, discover
from baryon.training.network import each_tensor
from baryon.training.parts import TRAIN, Parts, build_communicator, build_parts

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
    with closing(build_parts(config, plugins, comm)) as parts:
        who = _Who(config, plugins)
        for name, split in parts.dataset.splits.items():
            check_split(f"split {name!r} of {who.dataset}", split)
        check_step(who, parts)
        check_state(who.model, parts.network.model)
        check_evaluator(who.evaluator, parts)


class _Who:
    """How the components are named in a message."""

    def __init__(self, config: Config, plugins: Plugins) -> None:
        names = {kind: choice.name for kind, choice in config.choices.items()}
        self.dataset = _named("dataset", names, plugins)
        self.model = _named("model", names, plugins)
        self.loss = _named("loss", names, plugins)
        self.evaluator = _named("evaluator", names, plugins)


def _named(kind: str, names: Mapping[str, str], plugins: Plugins) -> str:
    return f"{kind} {names[kind]!r} of plugin {plugins.component(kind, names[kind]).plugin!r}"


def check_split(who: str, split: Split) -> None:
    """It reads what its fields say, its chunks start in order, and it knows its data."""
    starts = list(split.chunk_starts())
    ascending = all(one < other for one, other in pairwise([*starts, len(split)]))
    _require(
        starts[:1] == [0] and ascending,
        f"{who}: chunk_starts() must ascend from 0 to below its {len(split)} samples",
    )
    _require(split.fields.get("inputs"), f"{who} has no field 'inputs', which models are called on")
    count = min(SAMPLES, len(split))
    arrays = split.read(0, count)
    _require(
        set(arrays) == set(split.fields),
        f"{who} reads {', '.join(sorted(arrays))}, but its fields are "
        f"{', '.join(sorted(split.fields))}",
    )
    for name, field in split.fields.items():
        found, wanted = arrays[name], (count, *field.shape)
        _require(
            isinstance(found, np.ndarray)
            and (found.shape, found.dtype.name) == (wanted, field.dtype),
            f"{who}: read(0, {count}) gives {name!r} as {_form(found)}, but its field says "
            f"{field.dtype} {wanted}",
        )
    mark = split.fingerprint()
    _require(isinstance(mark, str) and mark, f"{who}: fingerprint() must be a text, not {mark!r}")
    check_copy(who, split, arrays)


def check_copy(who: str, split: Split, arrays: Arrays) -> None:
    """It can be sent to reading processes, and reads the same there: `arrays`, its first rows."""
    count = len(arrays["inputs"])
    with _naming(f"{who} cannot be opened again from a pickle"):
        copied: Split = pickle.loads(sendable(split, who))  # noqa: S301  our own bytes
    with closing(copied):
        again = copied.read(0, count)
        for name, values in arrays.items():
            _require(
                values.tobytes() == again[name].tobytes(),
                f"{who}: a pickled copy reads other {name!r} in rows 0 to {count - 1}",
            )


def check_step(who: _Who, parts: Parts) -> None:
    """The model takes the batch, the loss its output, and every parameter gets its gradient."""
    with closing(parts.loader(TRAIN).shuffled(0)) as shuffled:
        batch = next(shuffled)
    model = parts.network.model.train()
    shape = _form(batch["inputs"])
    with _naming(f"{who.model} fails on inputs {shape} of {who.dataset}"):
        output = parts.network(batch)
        each_tensor(output, torch.Tensor.detach)  # it is made of tensors
    with _naming(f"{who.loss} fails on the output of {who.model} and a batch of {who.dataset}"):
        terms = dict(parts.loss(output, batch))
    _check_terms(who.loss, terms)
    with _naming(f"no gradient flows back from {who.loss} through {who.model}"):
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            _check_gradient(f"parameter {name!r} of {who.model}", parameter)


def _check_terms(who: str, terms: Mapping[str, Any]) -> None:
    _require(terms, f"{who} returned no terms: it must name at least one")
    for name, term in terms.items():
        is_scalar = isinstance(term, torch.Tensor) and term.shape == ()
        _require(is_scalar, f"{who}: term {name!r} is {_form(term)}, not a tensor of one number")
        _require(torch.isfinite(term), f"{who}: term {name!r} is {term.item()} on the first batch")


def _check_gradient(who: str, parameter: torch.nn.Parameter) -> None:
    _require(
        parameter.grad is not None,
        f"{who} gets no gradient: use it in forward, or freeze it with requires_grad_(False)",
    )
    _require(torch.isfinite(parameter.grad).all(), f"{who}: its gradient is not finite")  # type: ignore[arg-type]


def check_state(who: str, model: torch.nn.Module) -> None:
    """Its weights come back from a checkpoint, which is read without running any code."""
    file = io.BytesIO()
    with _naming(f"{who}: its state_dict() cannot be kept in a checkpoint"):
        torch.save(model.state_dict(), file)
        file.seek(0)
        model.load_state_dict(torch.load(file, weights_only=True))


def check_evaluator(who: str, parts: Parts) -> None:
    """Its state travels between ranks, and two halves merged answer like the whole."""
    with closing(parts.loader(parts.held_out).in_order()) as in_order:
        batches = list(islice(in_order, 2))
    whole, halves = copy.deepcopy(parts.evaluator), []
    with _naming(f"{who}: update() fails on the model's output and a batch"):
        for batch in batches:
            half = copy.deepcopy(parts.evaluator)
            for each in (whole, half):
                each.update(_output(parts, batch), batch)
            halves.append(half)
    first, *others = halves
    for other in others:
        with _naming(f"{who}: its state() cannot be pickled and merged"):
            first.merge(pickle.loads(pickle.dumps(other.state())))  # noqa: S301  our own bytes
    _check_answers(who, _answer(whole), _answer(first))


def _output(parts: Parts, batch: Batch) -> Any:
    parts.network.model.eval()
    with torch.inference_mode():
        return parts.network.to_cpu(parts.network(batch))


def _answer(evaluator: Evaluator) -> Evaluation | None:
    """None where it says that so few samples are too little."""
    try:
        return evaluator.result()
    except BaryonError:
        return None


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


def _form(value: Any) -> str:
    """Type and shape in a few words."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return type(value).__name__


def _require(holds: object, fault: str) -> None:
    if not holds:
        raise AssertionError(fault)


@contextmanager
def _naming(what: str) -> Iterator[None]:
    try:
        yield
    except (AssertionError, BaryonError):
        raise
    except Exception as error:  # a stranger's component may raise anything
        raise AssertionError(f"{what}: {told(error)}") from error
