"""Progress inside a Jupyter notebook: one output of the cell that is drawn again and again."""

from __future__ import annotations

import sys
from html import escape
from typing import Any

WIDTH = 100
"""Columns of a notebook's text output."""


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")  # a kernel has imported it already
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")


def show_figures() -> None:
    """Let a notebook show Matplotlib figures that were made without `pyplot`."""
    if in_notebook():
        from IPython import get_ipython
        from IPython.core.pylabtools import select_figure_formats

        select_figure_formats(get_ipython(), {"png"})


class NotebookProgress:
    """A progress bar with a line of text beside it."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, done: int, total: int, text: str) -> None:
        """Draw the bar at `done` of `total`."""
        from IPython.display import HTML, display

        picture = HTML(
            f'<progress value="{done}" max="{total}"></progress> {done}/{total} {escape(text)}'
        )
        # One output that is replaced: a notebook keeps all others in its file.
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)
