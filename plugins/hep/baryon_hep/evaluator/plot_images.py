"""Draw a few events as the network sees them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from baryon.figures import colour_map, new
from baryon.terminal.rounding import short
from baryon_hep.evaluator.examples import Images
from baryon_hep.evaluator.results import Results

# The palest tenth would vanish on white paper.
_COLOURS = colour_map("viridis_r", low=0.1).with_extremes(bad="white", under="white")
_DECADES = 4
_FEWEST_CELLS = 48
_PANEL = 2.5  # geometric mean of a panel's sides in inches


def draw_images(
    results: Results, images: Mapping[int, Images], image_rows: str, eta_max: float | None
) -> Figure:
    """Draw the energy channel, signal events above, background events below.

    Parameters
    ----------
    results
        Events whose score and weight are the titles.
    images
        Images by label and row in the split.
    image_rows
        Coordinate along the first axis of an image, `phi` or `eta`; eta is drawn across.
    eta_max
        |eta| up to which images reach; None: as far as images of their size usually do.

    """
    all_images = [image for of_class in images.values() for image in of_class.values()]
    eta_max = eta_max or _usual_eta_max(all_images[0].shape)
    span = math.sqrt(eta_max / math.pi)
    columns = max(len(of_class) for of_class in images.values())
    size = (1.8 + _PANEL * span * columns, 0.7 + 2 * (0.3 + _PANEL / span))
    figure = new(*size, "Example images of both classes: calorimeter energy over eta and phi")
    figure.set_layout_engine("compressed")
    grid = figure.subplots(2, columns, sharex=True, sharey=True, squeeze=False)
    pixels = _pixels_per_cell(all_images[0].shape)
    norm = _norm([_cells(image, pixels) for image in all_images])
    for row, (label, name) in zip(grid, ((1, "Signal"), (0, "Background")), strict=True):
        row[0].set_ylabel(f"{name}\n" r"Azimuth $\phi$ [rad]", loc="center")
        for axes, (key, image) in zip(row, images[label].items(), strict=False):
            across = image if image_rows == "phi" else image.T
            _draw_image(axes, _cells(across, pixels), eta_max, norm)
            axes.set_title(_title(results, key))
        for axes in row[len(images[label]) :]:
            axes.set_visible(False)
    for axes in grid[1]:
        axes.set_xlabel(r"Pseudorapidity $\eta$", loc="center")
    scale = ScalarMappable(norm, _COLOURS)
    figure.colorbar(scale, ax=grid, label=_unit(pixels), extend="min", aspect=30)
    return figure


def _usual_eta_max(shape: tuple[int, ...]) -> float:
    # In the public files of 64 pixels a side, and in the benchmark's of 224 (both reported).
    return 2.5 if max(shape) <= 64 else 5.0


def _pixels_per_cell(shape: tuple[int, ...]) -> int:
    """Return how many pixels a side are summed to a cell that can be seen on a page."""
    divisors = (
        pixels
        for pixels in range(min(shape) // _FEWEST_CELLS, 1, -1)
        if not any(side % pixels for side in shape)
    )
    return next(divisors, 1)


def _cells(image: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    height, width = image.shape
    cells = image.reshape(height // pixels, pixels, width // pixels, pixels)
    summed: NDArray[np.float32] = cells.sum(axis=(1, 3))
    return summed


def _norm(images: list[NDArray[np.float32]]) -> LogNorm:
    """Return the scale that all panels share."""
    top = max(float(image.max()) for image in images)
    top = top if top > 0 else 1.0
    return LogNorm(top / 10**_DECADES, top)


def _draw_image(axes: Axes, image: NDArray[np.float32], eta_max: float, norm: LogNorm) -> None:
    axes.imshow(
        np.ma.masked_less_equal(image, 0),
        cmap=_COLOURS,
        norm=norm,
        origin="lower",
        extent=(-eta_max, eta_max, -np.pi, np.pi),
        aspect="equal",
        interpolation="nearest",
    )
    axes.set_yticks([-np.pi, 0, np.pi], [r"$-\pi$", "0", r"$\pi$"])
    axes.tick_params(which="both", length=3)


def _unit(pixels: int) -> str:
    of = rf"of {pixels}$\times${pixels} pixels" if pixels > 1 else "of a pixel"
    return f"Energy {of} / largest pixel in training"


def _title(results: Results, key: int) -> str:
    event = results.events[np.searchsorted(results.events["key"], key)]
    return f"log-odds ${event['score']:.1f}$\nweight {short(event['weight'])}"
