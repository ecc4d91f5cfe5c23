"""The log of a run: one JSON object a line, flushed as it happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError
from baryon.files import cannot_write, write_text

Record = dict[str, Any]
STEPS = "steps"
"""In a `train` line: over how many steps its means are, where it is less than a whole interval."""


class MetricsLog:
    """Appends to `metrics.jsonl`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, kind: str, values: Mapping[str, Any]) -> None:
        """One line of a kind: `train`, `validation` or `stopped`."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, **values}) + "\n")
        except OSError as error:
            raise BaryonError(cannot_write(self.path, error)) from error

    def read(self) -> list[Record]:
        """All lines; one that was cut off by a crash is left out."""
        if not self.path.is_file():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("}\n")]

    def keep(self, stays: Callable[[Record], bool]) -> None:
        """Drop all lines but those that stay."""
        kept = [record for record in self.read() if stays(record)]
        write_text(self.path, "".join(json.dumps(record) + "\n" for record in kept))
