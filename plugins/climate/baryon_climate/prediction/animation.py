"""The maps one after the other, as a GIF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from baryon.figures import MOISTURE, colour_map
from baryon_climate.maps.palette import CLASS_COLOURS

WIDTH = 900
"""Pixels: a GIF of hundreds of larger maps is no pleasure to open."""
SHADES_OF_WATER = 128
"""Colours of a GIF that the water vapour takes; the others are those of the lines."""
GREYS = 64
SHADES = 1.0, 0.75, 0.5, 0.25
"""Of a class's colour on white, at the edges of lines."""


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
    """Read one by one, all in the same colours."""
    palette = _palette()
    for path in maps:
        with Image.open(path) as image:
            height = round(WIDTH * image.height / image.width)
            small = image.convert("RGB").resize((WIDTH, height))
        yield small.quantize(palette=palette, dither=Image.Dither.NONE)


def _palette() -> Image.Image:
    """What a map is made of: the colours of moisture, greys of texts, and those of the classes."""
    water = [
        tuple(round(255 * part) for part in colour[:3])
        for colour in colour_map(*MOISTURE)(np.linspace(0, 1, SHADES_OF_WATER))
    ]
    greys = [(round(255 * n / (GREYS - 1)),) * 3 for n in range(GREYS)]
    colours = [
        tuple(round(255 * (shade * part + 1 - shade)) for part in to_rgb(colour))
        for colour in CLASS_COLOURS
        for shade in SHADES
    ]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in (*water, *greys, *colours) for part in colour])
    return palette
