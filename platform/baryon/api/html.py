"""What a notebook shows of a run: the same content as the head of its report."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from baryon.plugins.registry import KINDS
from baryon.runs.record import RunRecord, SavedFigure
from baryon.terminal.units import duration

WIDTH = 640
"""Pixels of a figure."""


def run_html(record: RunRecord) -> str:
    """Return the state, the five choices, the answer and the last curve of a run."""
    choices = ", ".join(
        f"{kind}={escape(str(record.config.get(kind, {}).get('name', '?')))}" for kind in KINDS
    )
    time = f", {duration(record.seconds)}" if record.seconds is not None else ""
    head = f"<p><b>{escape(record.name)}</b> ({escape(record.state)}{time})<br>{choices}</p>"
    early_stop = f"<p>{escape(record.early_stop)}</p>" if record.early_stop else ""
    return head + early_stop + answer_html(record)


def answer_html(record: RunRecord) -> str:
    """Return the answer's sentence, its warnings and its first two figures."""
    answer = record.evaluation
    lines = [f"<p>{escape(answer.summary)}</p>"] if answer.summary else []
    lines += [f"<p>⚠ {escape(str(text))}</p>" for text in answer.warnings]
    return "".join([*lines, *map(figure_html, first_figures(record.figures))])


def first_figures(figures: Sequence[SavedFigure]) -> Sequence[SavedFigure]:
    """Return the answer's first figure and the training curves: what one looks at first."""
    curves = [figure for figure in figures if figure.path.stem == "training"]
    return [*[figure for figure in figures if figure not in curves][:1], *curves]


def figure_html(figure: SavedFigure) -> str:
    """Return a figure with the picture inside, so that a saved notebook still has it."""
    data = base64.b64encode(figure.path.read_bytes()).decode()
    return (
        f'<figure><img width="{WIDTH}" alt="{escape(figure.caption)}" '
        f'src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(figure.caption)}</figcaption></figure>"
    )
