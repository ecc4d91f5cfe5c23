"""Compare what files say that their images show: axes, channels, units and window.

The generator writes these attributes; files of others may lack them, and are then taken as they
come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from baryon.data.hdf5.table import open_file
from baryon.errors import BaryonError

ATTRIBUTES = ("axes", "channels", "units", "phi_range", "eta_range")
Value: TypeAlias = tuple[Any, ...]
Declared: TypeAlias = Mapping[str, Value]
"""The attributes that a file has."""


def require_alike(paths: Sequence[Path], axes: tuple[str, str]) -> None:
    """Raise `BaryonError` if two files say that their images show different things.

    `axes` are the names of an image's rows and columns in this layout, which no file may
    contradict.
    """
    first: dict[str, tuple[Path, Value]] = {}
    for path in paths:
        declared = _declared(path)
        _require_axes(path, declared.get("axes", ()), axes)
        for name, value in declared.items():
            other, expected = first.setdefault(name, (path, value))
            if not _same(value, expected):
                raise BaryonError(
                    f"{path}: its images have {name} {_shown(value)}, but {_shown(expected)} in "
                    f"{other}: give files of one kind"
                )


def _declared(path: Path) -> Declared:
    with open_file(path) as file:
        return {name: _plain(file.attrs[name]) for name in ATTRIBUTES if name in file.attrs}


def _plain(value: Any) -> Value:
    words = np.ravel(np.asarray(value)).tolist()
    return tuple(word.decode() if isinstance(word, bytes) else word for word in words)


def _require_axes(path: Path, declared: Value, axes: tuple[str, str]) -> None:
    order = tuple(word for word in declared if word in axes)
    if len(order) == len(axes) and order != axes:
        raise BaryonError(
            f"{path}: its images have axes {_shown(declared)}, but this layout has {axes[0]} "
            f"before {axes[1]}: choose another dataset, or transpose the images"
        )


def _same(value: Value, expected: Value) -> bool:
    """Return whether two attributes agree, numbers up to rounding in single precision."""
    if value == expected or len(value) != len(expected):
        return value == expected
    numbers = all(isinstance(entry, int | float) for entry in (*value, *expected))
    return numbers and bool(np.allclose(value, expected, rtol=1e-6, atol=1e-6))


def _shown(value: Value) -> str:
    return ", ".join(f"{entry:.4g}" if isinstance(entry, float) else str(entry) for entry in value)
