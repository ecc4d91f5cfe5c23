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
"""Keys of the config that the table has; `to_pandas(config=True)` has all."""


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

    def rows(self, *, config: bool = False) -> Rows:
        """Return one row a run: name, state, choices, metrics; `config` adds every key of it."""
        return Rows(_row(run.record, whole=config) for run in self._runs)

    def to_pandas(self, *, config: bool = False) -> pd.DataFrame:
        """Return `rows` as a `pandas.DataFrame`."""
        return self.rows(config=config).to_pandas()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._runs)) or "no runs"

    def _repr_html_(self) -> str:
        return self.rows()._repr_html_()


def list_runs(folder: str | Path = "runs") -> RunList:
    """Return the runs in a folder, oldest first; those of a sweep if it is a sweep's folder.

    Raises `BaryonError` if there is no such folder.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise BaryonError(f"{path} does not exist: give the folder that holds runs")
    runs = [Run(entry) for entry in folders_in(path.resolve()) if (entry / "config.yaml").is_file()]
    return RunList(sorted(runs, key=lambda run: (run.path / "config.yaml").stat().st_mtime))


def _row(record: RunRecord, *, whole: bool) -> dict[str, Any]:
    config = flat(record.config)
    chosen = config if whole else {key: config[key] for key in SHOWN if key in config}
    row: dict[str, Any] = {"run": record.name, "state": record.state, "seconds": record.seconds}
    return {**row, **chosen, **record.evaluation.metrics}
