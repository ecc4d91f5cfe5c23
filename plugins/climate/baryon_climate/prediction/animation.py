"""The maps one after the other, as a GIF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

WIDTH = 900
"""Pixels: a GIF of hundreds of larger maps is no pleasure to open."""
COLOURS = 128


def animate(maps: Sequence[Path], path: Path, most: int, frames_a_second: float) -> int:
    """Write a GIF of at most `most` of the maps, evenly spread; how many they are."""
    step = -(-len(maps) // most)
    chosen = maps[::step]
    frames = _frames(chosen)
    first = next(frames)
    first.save(
        path,
        save_all=True,
        append_images=frames,
        duration=round(1000 / frames_a_second),
        loop=0,
        optimize=False,
    )
    return len(chosen)


def _frames(maps: Sequence[Path]) -> Iterator[Image.Image]:
    """Read one by one, all with the colours of the first."""
    palette: Image.Image | None = None
    for path in maps:
        with Image.open(path) as image:
            small = image.convert("RGB")
            small = small.resize((WIDTH, round(WIDTH * small.height / small.width)))
        if palette is None:
            palette = small.quantize(COLOURS)
        yield small.quantize(palette=palette, dither=Image.Dither.NONE)
