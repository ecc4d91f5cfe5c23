"""An evaluation's answer in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from baryon.api.rows import Rows
from baryon.errors import BaryonError, did_you_mean
from baryon.runs.directory import RunDirectory
from baryon.runs.record import RunRecord


class Answer:
    """What an evaluation found: one sentence, figures, tables and pictures."""

    def __init__(self, directory: RunDirectory, record: RunRecord) -> None:
        self._directory, self._record = directory, record
        self._stored = record.evaluation

    @property
    def path(self) -> Path:
        """Folder that holds the answer."""
        return self._directory.path

    @property
    def split(self) -> str:
        """Name of the split that was evaluated."""
        return self._stored.split

    @property
    def summary(self) -> str:
        """The answer in one sentence."""
        return self._stored.summary

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Figures by the evaluator's names; None where one is not known."""
        return self._stored.metrics

    @property
    def warnings(self) -> Sequence[str]:
        """What a reader of the answer must know."""
        return self._stored.warnings

    @property
    def tables(self) -> Mapping[str, Rows]:
        """Tables by name."""
        return {
            name: Rows(dict(zip(table.columns, row, strict=True)) for row in table.rows)
            for name, table in self._stored.tables.items()
        }

    @property
    def figures(self) -> Mapping[str, Path]:
        """PNG files of the figures by name; an SVG of the same name lies beside each."""
        return {figure.path.stem: figure.path for figure in self._record.figures}

    def figure(self, name: str) -> Any:
        """Return a figure as `IPython.display.Image`. Raises `BaryonError` if there is none."""
        if name not in self.figures:
            raise BaryonError(f"no figure {name!r}; {did_you_mean(self.figures, name)}")
        # No dependency of Baryon: whoever wants to see it has it.
        try:
            from IPython.display import Image
        except ImportError as error:
            raise BaryonError("figure needs IPython; `figures` has the paths") from error
        return Image(str(self.figures[name]))

    def __repr__(self) -> str:
        return self.summary or f"no evaluation in {self.path}"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the sentence, the warnings, the first figure."""
        from baryon.api.html import answer_html

        return answer_html(self._record)
