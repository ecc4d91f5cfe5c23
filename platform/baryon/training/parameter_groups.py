"""Choose parameters by patterns of their names: those that are frozen, those with own rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch

from baryon.config.schemas import ParameterGroup, Train
from baryon.errors import BaryonError

MOST_LISTED = 20
"""Names in a message."""
RATE_SCALE = "rate_scale"
"""Key of an optimizer's group of parameters: what the learning rate is multiplied by there."""


def matches(pattern: str, name: str) -> bool:
    """Return whether a pattern stands for a parameter, given its name such as `body.0.weight`.

    It does if it matches the name, or that of a module around it (`body.0`, `body`). `*` stands for
    any characters, dots included, `?` for one of them, `[ab]` for a or b.
    """
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:end]), pattern) for end in range(1, len(parts) + 1))


def freeze(model: torch.nn.Module, patterns: Sequence[str]) -> list[str]:
    """Freeze the parameters that a pattern of `train.freeze` stands for: they get no gradient.

    Returns
    -------
    list of str
        Names of the modules all of whose own parameters were frozen.

    Raises
    ------
    BaryonError
        If a pattern stands for no parameter, or none is left to train.

    """
    named = _all_names(model)
    for pattern in patterns:
        _require_match("train.freeze", pattern, [name for name, _ in named])
    for name, parameter in named:
        if any(matches(pattern, name) for pattern in patterns):
            parameter.requires_grad_(False)
    if patterns and not any(parameter.requires_grad for _, parameter in named):
        raise BaryonError(f"train.freeze={list(patterns)} leaves no parameter to train")
    return [name for name, module in model.named_modules() if _is_frozen(name, module, patterns)]


def _is_frozen(name: str, module: torch.nn.Module, patterns: Sequence[str]) -> bool:
    own = [f"{name}.{own}".lstrip(".") for own, _ in module.named_parameters(recurse=False)]
    return bool(own) and all(any(matches(pattern, n) for pattern in patterns) for n in own)


def check_parameter_groups(model: torch.nn.Module, groups: Sequence[ParameterGroup]) -> None:
    """Raise `BaryonError` unless each group has parameters to train, and no other group has them.

    A parameter that several modules share has several names, which must not be of two groups:
    communicators may know it by any of them.
    """
    names: dict[int, list[str]] = {}
    for name, parameter in _all_names(model):
        if parameter.requires_grad:
            names.setdefault(id(parameter), []).append(name)
    every = [name for aliases in names.values() for name in aliases]
    for group in groups:
        _require_match("train.parameter_groups", group.pattern, every)
    for aliases in names.values():
        numbers = {n for name in aliases for n in _groups_of(name, groups)}
        unmatched = [name for name in aliases if not _groups_of(name, groups)]
        if len(numbers) > 1 or (numbers and unmatched):
            patterns = ", ".join(repr(groups[n].pattern) for n in sorted(numbers))
            raise BaryonError(
                f"train.parameter_groups: parameter {' = '.join(aliases)} must be of one group, "
                f"and is matched by {patterns}{' under one of its names' * bool(unmatched)}; "
                f"parameters: {listed(every)}"
            )


def optimizer_groups(
    named: Iterable[tuple[str, torch.nn.Parameter]], train: Train
) -> list[dict[str, Any]]:
    """Return the groups that a PyTorch optimizer takes, each with its parameters and settings."""
    members: dict[int | None, list[torch.nn.Parameter]] = {}
    for name, parameter in named:
        number = next(iter(_groups_of(name, train.parameter_groups)), None)
        members.setdefault(number, []).append(parameter)
    groups = []
    for number, parameters in members.items():
        group = ParameterGroup() if number is None else train.parameter_groups[number]
        decay = train.weight_decay if group.weight_decay is None else group.weight_decay
        settings = {RATE_SCALE: group.learning_rate_scale, "weight_decay": decay}
        groups.append({"params": parameters, **settings})
    return groups


def _groups_of(name: str, groups: Sequence[ParameterGroup]) -> list[int]:
    """Return the numbers of the groups whose patterns stand for a parameter."""
    return [number for number, group in enumerate(groups) if matches(group.pattern, name)]


def _all_names(model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    """Return every name of every parameter: one that is shared has several."""
    # PyTorch names a shared parameter once; a pattern may stand for any of its names.
    return list(model.named_parameters(remove_duplicate=False))


def _require_match(key: str, pattern: str, names: Sequence[str]) -> None:
    if not any(matches(pattern, name) for name in names):
        raise BaryonError(
            f"{key}: pattern {pattern!r} matches no parameter that is trained; parameters: "
            f"{listed(names)}"
        )


def listed(names: Sequence[str]) -> str:
    """Return the first names as text, and how many more there are."""
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"{', '.join(names[:MOST_LISTED])}{more}"
