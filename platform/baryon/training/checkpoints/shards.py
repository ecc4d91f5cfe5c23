"""A checkpoint too large for one file: its tensors in several, written at the same time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from baryon.training.checkpoints import file
from baryon.training.checkpoints.tree import Place, changed, tensors

SHARDS = "shards"
IN_SHARD = "in_shard"
WRITERS = 4
PART = r"[\w-]+\.shard-\d+-of-\d+\.pt"


def save(path: Path, state: Mapping[str, Any], shard_bytes: float, label: str) -> None:
    """Write a checkpoint, as `<label>.shard-1-of-3.pt` ... and `path` if it is larger.

    `path` comes last and names the others: what is there before it is complete.
    """
    sizes = [tensor.nbytes for tensor in tensors(state)]
    if sum(sizes) <= shard_bytes:
        file.save(path, state)
        return
    numbers = _spread(sizes, shard_bytes)
    count = numbers[-1] + 1
    names = [f"{label}.shard-{number + 1}-of-{count}.pt" for number in range(count)]
    shards: list[dict[str, torch.Tensor]] = [{} for _ in names]
    order = iter(numbers)

    def move(place: Place, tensor: torch.Tensor) -> dict[str, Any]:
        del place
        shard = next(order)
        key = str(len(shards[shard]))
        shards[shard][key] = tensor
        return {IN_SHARD: shard, "key": key}

    rest = changed(state, move)
    with ThreadPoolExecutor(WRITERS) as pool:
        paths = [path.parent / name for name in names]
        list(pool.map(file.save, paths, shards))
    file.save(path, {**rest, SHARDS: names})


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint with all its files.

    Raises `BaryonError` if it is missing, `DamagedError` if it is damaged, or not all there.
    """
    state = file.load(path)
    names = state.pop(SHARDS, None) if isinstance(state, dict) else None
    if names is None:
        return state
    if not (isinstance(names, list) and all(map(_is_part, names))):
        raise file.DamagedError(f"{path} is no whole checkpoint (its parts have other names)")
    paths = [path.parent / name for name in names]
    for part in paths:
        if not part.is_file():
            raise file.DamagedError(f"{path} is no whole checkpoint (its part {part} is missing)")
    with ThreadPoolExecutor(WRITERS) as pool:
        shards = list(pool.map(file.load, paths))
    try:
        restored: dict[str, Any] = _put_back(state, shards)
    except (LookupError, TypeError, RecursionError) as error:
        raise file.DamagedError(f"{path} is no whole checkpoint (its parts do not fit)") from error
    return restored


def _is_part(name: Any) -> bool:
    """Whether `save` may have called a part like this: it is in the checkpoint's own folder."""
    return isinstance(name, str) and re.fullmatch(PART, name) is not None


def _spread(sizes: list[int], most: float) -> list[int]:
    """The shard of each tensor: full ones one after the other; one that is too large is alone."""
    numbers, number, held = [], 0, 0
    for size in sizes:
        if held and held + size > most:
            number, held = number + 1, 0
        numbers.append(number)
        held += size
    return numbers


def _put_back(state: Any, shards: list[dict[str, Any]]) -> Any:
    if isinstance(state, Mapping):
        if IN_SHARD in state:
            return shards[state[IN_SHARD]][state["key"]]
        return {key: _put_back(value, shards) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_put_back(one, shards) for one in state)
    return state
