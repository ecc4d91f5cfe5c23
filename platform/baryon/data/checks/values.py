"""Survey the samples of a split in one pass, as a network would see them.

What is found: ranges, values that are not finite, and how alike the samples of a chunk are.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np

from baryon.data.checks.finding import Finding
from baryon.interfaces import Arrays, Field, Split
from baryon.terminal.cells import cell

Numbers = np.ndarray[Any, Any]
INPUTS = "inputs"
MAX_CLASSES = 20
"""A field of more different whole numbers has no classes."""
MAX_CHANNELS = 64
"""A first axis longer than this is no axis of channels."""


class FieldSurvey:
    """Accumulate the statistics of one field, by channel.

    The channels are the first axis of a sample, if it is short enough; otherwise there is one.
    """

    def __init__(self, name: str, field: Field) -> None:
        self.name, self.field = name, field
        has_channels = field.shape and field.shape[0] <= MAX_CHANNELS
        self.channels = field.shape[0] if has_channels else 1
        self.low = np.full(self.channels, np.inf)
        self.high = np.full(self.channels, -np.inf)
        self._sums = np.zeros((2, self.channels))
        self._zeros = np.zeros(self.channels)
        self._numbers = 0
        self.bad_samples = 0
        self.first_bad = -1
        self.image: Numbers | None = None
        """Sum of all samples, for fields of shape (channels, height, width)."""
        self._columns: list[Numbers] = []

    def take(self, first_row: int, values: Numbers) -> None:
        """Account for the samples of one chunk, whose first row is `first_row`."""
        if not self.field.shape:
            self._columns.append(values)
        elif self.name == INPUTS:
            self._columns.append(values.reshape(len(values), -1).mean(axis=1, dtype=np.float64))
        flat = values.reshape(len(values), self.channels, -1).astype(np.float64)
        flat = self._finite(first_row, flat)
        if len(flat):
            self._accumulate(flat)

    def _finite(self, first_row: int, flat: Numbers) -> Numbers:
        """Count the samples with values that are not finite, and return the others."""
        if np.isfinite(flat.sum()):  # one pass is enough for good data
            return flat
        bad = ~np.isfinite(flat).all(axis=(1, 2))
        if self.bad_samples == 0 and bad.any():
            self.first_bad = first_row + int(np.argmax(bad))
        self.bad_samples += int(bad.sum())
        return flat[~bad]

    def _accumulate(self, flat: Numbers) -> None:
        """Account for samples (N, channels, values)."""
        self.low = np.minimum(self.low, flat.min(axis=(0, 2)))
        self.high = np.maximum(self.high, flat.max(axis=(0, 2)))
        self._sums += flat.sum(axis=(0, 2)), np.square(flat).sum(axis=(0, 2))
        self._zeros += (flat == 0).sum(axis=(0, 2))
        self._numbers += flat.shape[0] * flat.shape[2]
        if len(self.field.shape) == 3:
            total = flat.sum(axis=0).reshape(self.channels, *self.field.shape[1:])
            self.image = total if self.image is None else self.image + total

    @property
    def column(self) -> Numbers:
        """(N,) values of a field with one number a sample, or the mean of each sample of `inputs`.

        Empty for all other fields.
        """
        return np.concatenate(self._columns) if self._columns else np.empty(0)

    @property
    def is_identifier(self) -> bool:
        """Whether the field numbers the samples: whole numbers, each of them once."""
        column = self.column
        is_whole = not self.field.shape and np.dtype(self.field.dtype).kind in "iu"
        return is_whole and len(column) > MAX_CLASSES and len(np.unique(column)) == len(column)

    def described(self) -> Iterator[tuple[str, str]]:
        """Generate the name of each channel, and its values in words.

        These are mean ± standard deviation in [smallest, largest], and the share of zeros.
        """
        if self.is_identifier:
            # Of the column: float64, which `low` and `high` are, has no 19 digits.
            yield self.name, f"all different, from {self.column.min()} to {self.column.max()}"
            return
        count = max(1, self._numbers)
        mean, square = self._sums / count
        spread = np.sqrt(np.maximum(0, square - mean**2))
        for channel in range(self.channels):
            name = f"{self.name}[{channel}]" if self.channels > 1 else self.name
            if not self._numbers:
                yield name, "no finite values"
                continue
            low, high = cell(float(self.low[channel])), cell(float(self.high[channel]))
            text = (
                f"{cell(float(mean[channel]))} ± {cell(float(spread[channel]))} in [{low}, {high}]"
            )
            zeros = f", {self._zeros[channel] / count:.1%} zeros" if self._zeros[channel] else ""
            yield name, text + zeros

    def findings(self, split: str, place: Any) -> Iterator[Finding]:
        """Find values that are not finite, and channels of the inputs that are constant.

        `place` describes where a row is stored; see `Split.place`.
        """
        if self.bad_samples:
            yield Finding(
                split,
                f"{self.name} is NaN or infinite in {self.bad_samples:,} samples, first in "
                f"{place(self.first_bad)}: repair or leave them out",
                refused=True,
            )
        if not self._numbers or self.name != INPUTS:  # a grid or a scale may well be constant
            return
        for channel in np.flatnonzero(self.low == self.high).tolist():
            which = f"channel {channel} of {self.name}" if self.channels > 1 else self.name
            yield Finding(split, f"{which} is {self.low[channel]:g} everywhere: it teaches nothing")


class Survey:
    """Accumulate the statistics of all fields of one split."""

    def __init__(self, split: Split) -> None:
        self.fields = {name: FieldSurvey(name, field) for name, field in split.fields.items()}
        self.digests: list[bytes] = []
        """Hash of the inputs of each sample."""
        self.rows: list[int] = []
        """Row number of each sample."""
        self.sizes: list[int] = []
        """Number of samples in each chunk."""

    def take(self, first_row: int, arrays: Arrays) -> None:
        """Account for the samples of one chunk, whose first row is `first_row`."""
        for name, survey in self.fields.items():
            survey.take(first_row, arrays[name])
        inputs = np.ascontiguousarray(arrays[INPUTS])
        # 12 bytes: among a billion samples two agree by chance with a probability of 1e-11.
        self.digests += [blake2b(sample.tobytes(), digest_size=12).digest() for sample in inputs]
        self.rows += range(first_row, first_row + len(inputs))
        self.sizes.append(len(inputs))

    def chunk_correlations(self) -> dict[str, float]:
        """Return the intraclass correlation of samples of one chunk, from 0 to 1, by field."""
        columns = {name: survey.column for name, survey in self.fields.items()}
        return {
            name: intraclass_correlation(column.astype(np.float64), self.sizes)
            for name, column in columns.items()
            if len(column)
        }


def intraclass_correlation(values: Numbers, sizes: list[int]) -> float:
    """Estimate the intraclass correlation by one-way analysis of variance.

    It is (MSB - MSW) / (MSB + (n0 - 1) MSW), not below 0, with the mean squares between and within
    groups and their average size n0 (Donner, International Statistical Review 54, 1986).

    Parameters
    ----------
    values
        (N,) values, group after group; NaN and Inf count as the mean.
    sizes
        Number of values in each group.

    """
    count, groups = len(values), len(sizes)
    if groups < 2 or count <= groups:
        return 0.0
    finite = np.isfinite(values)
    values = np.where(finite, values, values[finite].mean() if finite.any() else 0.0)
    n = np.asarray(sizes, np.float64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    means = np.add.reduceat(values, starts) / n
    between = float((n * (means - values.mean()) ** 2).sum()) / (groups - 1)
    within = float(np.square(values - np.repeat(means, sizes)).sum()) / (count - groups)
    n0 = (count - float(np.square(n).sum()) / count) / (groups - 1)
    both = between + (n0 - 1) * within
    return max(0.0, (between - within) / both) if both > 0 else 0.0
