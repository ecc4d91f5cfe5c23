"""Write a checkpoint that is too large for one file as several, all at the same time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from baryon.training.checkpoints import file
from baryon.training.checkpoints.tree import KeyPath, map_tensors, tensors

SHARDS = "shards"
"""Key under which the first file names the others."""
IN_SHARD = "in_shard"
"""Key of a mapping that stands for a tensor in another file: the number of the file."""
THREADS = 4
SHARD_NAME = r"[\w-]+\.shard-\d+-of-\d+\.pt"


def save(path: Path, state: Mapping[str, Any], shard_bytes: float, label: str) -> None:
    """Write a checkpoint; if it is larger than `shard_bytes`, its tensors in further files.

    These are `<label>.shard-1-of-3.pt` and so on, beside `path`. Raises `BaryonError` if one of
    them cannot be written.
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

    def move(path: KeyPath, tensor: torch.Tensor) -> dict[str, Any]:
        del path
        shard = next(order)
        key = str(len(shards[shard]))
        shards[shard][key] = tensor
        return {IN_SHARD: shard, "key": key}

    rest = map_tensors(state, move)
    with ThreadPoolExecutor(THREADS) as pool:
        paths = [path.parent / name for name in names]
        list(pool.map(file.save, paths, shards))
    # Last of all: if this file is there, the files that it names are complete.
    file.save(path, {**rest, SHARDS: names})


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint with all its files.

    Raises
    ------
    BaryonError
        If there is none.
    DamagedError
        If one of its files is damaged or missing.

    """
    state = file.load(path)
    names = state.pop(SHARDS, None) if isinstance(state, dict) else None
    if names is None:
        return state
    if not (isinstance(names, list) and all(map(_is_shard_name, names))):
        raise file.DamagedError(f"{path} is no whole checkpoint (its parts have other names)")
    paths = [path.parent / name for name in names]
    for part in paths:
        if not part.is_file():
            raise file.DamagedError(f"{path} is no whole checkpoint (its part {part} is missing)")
    with ThreadPoolExecutor(THREADS) as pool:
        shards = list(pool.map(file.load, paths))
    try:
        restored: dict[str, Any] = _put_back(state, shards)
    except (LookupError, TypeError, RecursionError) as error:
        raise file.DamagedError(f"{path} is no whole checkpoint (its parts do not fit)") from error
    return restored


def _is_shard_name(name: Any) -> bool:
    """Return whether `save` may have given this name, which leads to no other folder."""
    return isinstance(name, str) and re.fullmatch(SHARD_NAME, name) is not None


def _spread(sizes: list[int], most_bytes: float) -> list[int]:
    """Return the shard of each tensor; one that is too large has a shard of its own."""
    shard_of, shard, filled = [], 0, 0
    for size in sizes:
        if filled and filled + size > most_bytes:
            shard, filled = shard + 1, 0
        shard_of.append(shard)
        filled += size
    return shard_of


def _put_back(state: Any, shards: list[dict[str, Any]]) -> Any:
    """Replace what stands for a tensor by the tensor."""
    if isinstance(state, Mapping):
        if IN_SHARD in state:
            return shards[state[IN_SHARD]][state["key"]]
        return {key: _put_back(value, shards) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_put_back(item, shards) for item in state)
    return state
