"""All runs of a folder as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from baryon.api.rows import Rows
from baryon.api.run import Run
from baryon.config.flatten import flat
from baryon.errors import BaryonError
from baryon.runs.record import RunRecord, folders_in

if TYPE_CHECKING:
    import pandas as pd

SHOWN = ("dataset.name", "model.name", "loss.name", "comm.name", "seed")
"""Keys of the config that a notebook shows; `rows` has all."""


class RunList(Sequence[Run]):
    """Runs, the newest last; a notebook shows them as a table."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = list(runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> RunList: ...
    def __getitem__(self, index: int | slice) -> Run | RunList:
        """Return a run, or several as a list of the same kind."""
        found = self._runs[index]
        return RunList(found) if isinstance(found, list) else found

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def rows(self) -> Rows:
        """Return one row a run: name, state, seconds, every key of its config, all its metrics."""
        return Rows(_row(run.record) for run in self._runs)

    def to_pandas(self) -> pd.DataFrame:
        """Return `rows` as a `pandas.DataFrame`."""
        return self.rows().to_pandas()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._runs)) or "no runs"

    def _repr_html_(self) -> str:
        """Return a table of the choices and of the metrics that runs are judged by."""
        return Rows(_short_row(run.record) for run in self._runs)._repr_html_()


def list_runs(folder: str | Path = "runs") -> RunList:
    """Return the runs in a folder, oldest first; those of a sweep if it is a sweep's folder.

    Raises `BaryonError` if there is no such folder.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise BaryonError(f"{path} does not exist: give the folder that holds runs")
    runs = [Run(entry) for entry in folders_in(path.resolve()) if (entry / "config.yaml").is_file()]
    # By the time of the config, which is written when a run starts or goes on; that of the folder
    # changes with each file in it.
    return RunList(sorted(runs, key=lambda run: (run.path / "config.yaml").stat().st_mtime))


def _row(record: RunRecord) -> dict[str, Any]:
    row: dict[str, Any] = {"run": record.name, "state": record.state, "seconds": record.seconds}
    return {**row, **flat(record.config), **record.evaluation.metrics}


def _short_row(record: RunRecord) -> dict[str, Any]:
    row = _row(record)
    # A minus sign says that less is better.
    judges = [name.removeprefix("-") for name in record.evaluation.judged_by]
    return {key: row[key] for key in ("run", "state", "seconds", *SHOWN, *judges) if key in row}
