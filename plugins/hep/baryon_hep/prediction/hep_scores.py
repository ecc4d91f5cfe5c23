"""Predictor of `hep_roc`: score every event of some files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import numpy as np

from baryon.errors import BaryonError
from baryon.interfaces import Batch
from baryon_hep.dataset.images import Images
from baryon_hep.evaluator.events import log_odds
from baryon_hep.prediction.histogram import Histogram
from baryon_hep.prediction.tables import Columns, CsvTable, HdfTable

EVEN = 0.5
"""Probability of an event that is as likely signal as background."""
TABLES: Mapping[str, type[HdfTable] | type[CsvTable]] = {"hdf5": HdfTable, "csv": CsvTable}


class HepScores:
    """Write a row for every event, in the order of the files.

    Columns are `file` and `row`, where the event lies; `score`, the log of the odds p / (1 - p) of
    being signal, in double precision; `probability`, p; and the members that are to be copied.

    Parameters
    ----------
    formats
        Tables to write: `hdf5` (`scores.h5`), `csv` (`scores.csv`).
    keep
        Members to copy from the files, where they have them.
    histogram
        Whether to draw `scores.png`.
    split
        Events to be scored.

    Raises
    ------
    BaryonError
        If there is nothing to write.

    """

    def __init__(
        self,
        *,
        formats: Sequence[Literal["hdf5", "csv"]],
        keep: Sequence[str],
        histogram: bool,
        split: Images,
    ) -> None:
        if not formats and not histogram:
            raise BaryonError("predict.formats=[] and no histogram: there is nothing to write")
        # A format that is named twice would write its file twice.
        self._formats = list(dict.fromkeys(formats))
        self._keep = [name for name in keep if name in split.columns]
        self._histogram = histogram
        self._split = split
        self._starts = split.table.starts

    def predict(self, output: Any, batch: Batch) -> Columns:
        """Return the columns (N,) of the table from logits (N, 2), of which class 1 is the signal.

        Raises `BaryonError` for a score that is not finite.
        """
        rows = batch["keys"].numpy()
        # Log-odds in double precision: probabilities of sure events would all be rounded to 1.
        score = log_odds(output)
        wrong = np.flatnonzero(~np.isfinite(score))
        if len(wrong):
            raise BaryonError(
                f"{self._split.place(rows[wrong[0]])}: the score is {score[wrong[0]]}: is there a "
                "NaN or Inf in the image?"
            )
        file = np.searchsorted(self._starts, rows, side="right") - 1
        return {
            "file": file.astype(np.int32),
            "row": rows - self._starts[file],
            "score": score,
            "probability": 1 / (1 + np.exp(-score)),
            **{name: batch[name].numpy() for name in self._keep},
        }

    def write(self, predictions: Iterator[Columns], folder: Path) -> str:
        """Write `scores.h5`, `scores.csv` and `scores.png`, whichever were asked for."""
        paths = [str(path.resolve()) for path in self._split.table.paths]
        histogram, events, signal = Histogram(), 0, 0
        with ExitStack() as stack:
            tables: list[HdfTable | CsvTable] = []
            for form in self._formats:
                tables.append(TABLES[form](folder, paths))
                stack.enter_context(tables[-1])
            for columns in predictions:
                for table in tables:
                    table.append(columns)
                histogram.fill(columns["score"])
                events += len(columns["row"])
                signal += int((columns["probability"] > EVEN).sum())
        if self._histogram:
            histogram.save(folder / "scores.png")
        return f"{events:,} events scored; {signal:,} of them are more like signal (p > {EVEN})"
