"""The log of a run: one JSON object a line, flushed as it happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError, cannot_write
from baryon.system.atomic import write_text
from baryon.system.plain_data import (
    Shape,
    finite,
    fits,
    is_count,
    is_finite,
    is_mapping,
    is_number,
    is_text,
    mapping_of,
    parse_json,
    read_lines,
)

Record = dict[str, Any]
STEPS = "steps"
"""In a `train` line: over how many steps its means are, where it is less than a whole interval."""

ANY_LINE: Shape = {"kind": is_text, "step?": is_count, "epoch?": is_count, "seconds?": is_finite}
RATE: dict[str, Shape] = {
    "samples_per_second": is_number,
    "tflops_per_second": is_number,
    "mfu": is_number,
}
OF_A_KIND: Mapping[str, Shape] = {
    "execution": {
        "total_steps?": is_count, "parameters?": is_count, "precision?": is_text, "mode?": is_text,
        "why?": is_text,
    },
    "train": {
        "step": is_count, "epoch": is_count, "seconds": is_finite, "loss": is_number, **RATE,
        f"{STEPS}?": is_count, "ms?": mapping_of(is_number), "comm?": is_mapping,
    },
    "validation": {"step": is_count, "seconds": is_finite, "loss": is_number},
    "meters": {
        "wall_seconds": is_finite, "lost_seconds": is_finite, "goodput": is_number,
        "sustained_steps": is_count, "gflop_per_sample": is_number,
        "peak_tflops_per_second": is_number, "rates": mapping_of(RATE),
        "phase_seconds": mapping_of(is_finite), "gflop_by_layer": mapping_of(is_number),
    },
}  # fmt: skip
"""What a line of each kind must hold to be shown and compared."""
MEASURED_RATES = ("sustained", "whole run")
"""Rates that every line `meters` has."""


def parse(line: str) -> Record | None:
    """A line as a record; None for what no run has written."""
    try:
        record = parse_json(line)
    except ValueError:
        return None
    if not fits(record, ANY_LINE) or not fits(record, OF_A_KIND.get(record["kind"], {})):
        return None
    if record["kind"] == "meters" and not all(name in record["rates"] for name in MEASURED_RATES):
        return None
    return dict(record)


def read(path: Path) -> tuple[list[Record], int]:
    """All records of a log, and how many of its lines are damaged.

    A last line without its end counts as neither: it is just being written, or a crash cut it off.
    Raises `BaryonError` if there is no such file, or it cannot be read.
    """
    records = [parse(line) for line in read_lines(path)]
    return [record for record in records if record is not None], records.count(None)


class MetricsLog:
    """Appends to `metrics.jsonl`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, kind: str, values: Mapping[str, Any]) -> None:
        """One line of a kind: `train`, `validation` or `stopped`. What is not finite is null."""
        line = json.dumps(finite({"kind": kind, **values}), allow_nan=False)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise BaryonError(cannot_write(self.path, error)) from error

    def read(self) -> list[Record]:
        """All records; lines that are damaged, or cut off by a crash, are left out."""
        return read(self.path)[0] if self.path.is_file() else []

    def keep(self, stays: Callable[[Record], bool]) -> None:
        """Drop all lines but those that stay, and those that nobody can read."""
        if not self.path.is_file():
            return
        kept = [
            line
            for line in read_lines(self.path)
            if (record := parse(line)) is None or stays(record)
        ]
        write_text(self.path, "".join(f"{line}\n" for line in kept))
