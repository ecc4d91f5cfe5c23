"""Read and write the log of a run, `metrics.jsonl`: one JSON object a line."""

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

LogLine = dict[str, Any]
"""A line of the log: its `kind` and the values that lines of this kind hold."""
STEPS = "steps"
"""Key of a `train` line that is the mean over fewer steps than `train.log_every_steps`."""

ANY_LINE: Shape = {"kind": is_text, "step?": is_count, "epoch?": is_count, "seconds?": is_finite}
RATE: dict[str, Shape] = {
    "samples_per_second": is_number,
    "tflops_per_second": is_number,
    "mfu": is_number,
}
SHAPES: Mapping[str, Shape] = {
    "execution": {
        "total_steps?": is_count, "parameters?": is_count, "precision?": is_text, "mode?": is_text,
        "why?": is_text,
    },
    "train": {
        "step": is_count, "epoch": is_count, "seconds": is_finite, "loss": is_number, **RATE,
        f"{STEPS}?": is_count, "ms?": mapping_of(is_number), "comm?": is_mapping,
    },
    "validation": {"step": is_count, "seconds": is_finite, "loss": is_number},
    "early_stop": {"step": is_count, "planned_steps": is_count, "validations": is_count},
    "meters": {
        "wall_seconds": is_finite, "lost_seconds": is_finite, "goodput": is_number,
        "sustained_steps": is_count, "gflop_per_sample": is_number,
        "peak_tflops_per_second": is_number, "rates": mapping_of(RATE),
        "phase_seconds": mapping_of(is_finite), "gflop_by_layer": mapping_of(is_number),
    },
}  # fmt: skip
"""Kind -> what its lines must hold to be shown and compared; other kinds hold anything."""
MEASURED_RATES = ("sustained", "whole run")
"""Rates that every line `meters` has."""


def parse(line: str) -> LogLine | None:
    """Return the content of a line; None if it is not a line that a run writes."""
    try:
        values = parse_json(line)
    except ValueError:
        return None
    if not fits(values, ANY_LINE) or not fits(values, SHAPES.get(values["kind"], {})):
        return None
    if values["kind"] == "meters" and not all(name in values["rates"] for name in MEASURED_RATES):
        return None
    return dict(values)


def read(path: Path) -> tuple[list[LogLine], int]:
    """Read a log.

    Returns
    -------
    lines : list of LogLine
        All sound lines, in their order.
    damaged : int
        The number of damaged lines. A last line without its end counts neither as sound nor as
        damaged: it is just being written, or was cut off when the run was killed.

    Raises
    ------
    BaryonError
        If there is no such file, or it cannot be read.

    """
    lines = [parse(line) for line in read_lines(path)]
    return [line for line in lines if line is not None], lines.count(None)


class MetricsLog:
    """The log of a run, `metrics.jsonl`: one JSON object a line, in the file as it happens."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, kind: str, values: Mapping[str, Any]) -> None:
        """Append a line of a kind, with null for each number that is not finite.

        Raises `BaryonError` if the file cannot be written.
        """
        line = json.dumps(finite({"kind": kind, **values}), allow_nan=False)
        try:
            # Opened for every line: nothing is lost in a buffer when the process is killed.
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise BaryonError(cannot_write(self.path, error)) from error

    def read(self) -> list[LogLine]:
        """Return all sound lines; none if there is no log yet."""
        return read(self.path)[0] if self.path.is_file() else []

    def filter(self, keeps: Callable[[LogLine], bool]) -> None:
        """Remove the sound lines that are not to be kept; lines that nobody can read remain."""
        if not self.path.is_file():
            return
        lines = [
            line
            for line in read_lines(self.path)
            if (values := parse(line)) is None or keeps(values)
        ]
        write_text(self.path, "".join(f"{line}\n" for line in lines))
