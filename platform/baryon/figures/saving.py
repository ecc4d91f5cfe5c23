"""Lay figures out once, and save them for screen and paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from baryon.system.atomic import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 150
_LAYS_OUT = ContextVar("lays_out", default=True)


def save(figures: Mapping[str, Figure], folder: Path) -> None:
    """Save each figure as `<name>.png` and `<name>.svg` in a folder, which is made."""
    if figures:
        folder.mkdir(exist_ok=True)
    for name, figure in figures.items():
        if figure.get_layout_engine() is not None:
            lay_out(figure)
        for form in ("png", "svg"):
            with atomic_write(folder / f"{name}.{form}") as temporary:
                figure.savefig(temporary, format=form, dpi=DOTS_PER_INCH)


def lay_out(figure: Figure) -> None:
    """Lay a figure out once and for all; to be called inside the style that it is drawn in.

    matplotlib reads fonts and ticks when a figure is saved, which happens elsewhere.
    """
    from matplotlib import rc_context

    if _LAYS_OUT.get():
        figure.draw_without_rendering()
    # A figure with a layout engine is laid out again each time it is saved: for each format that
    # took most of a short run's time.
    with rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)


@contextmanager
def without_layout() -> Iterator[None]:
    """Draw figures as they are in the block: nobody looks at them, and a layout takes seconds."""
    token = _LAYS_OUT.set(False)
    try:
        yield
    finally:
        _LAYS_OUT.reset(token)


def caption(name: str, figure: Figure) -> str:
    """Return what a figure shows: its label, else its name."""
    return str(figure.get_label()) or name.replace("_", " ")
