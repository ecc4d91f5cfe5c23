"""Render calorimeter images: phi in rows, eta in columns.

Row 0 starts at phi = -pi and column 0 at eta = -`eta_max`, for every size. Channels: total
calorimeter energy and EM energy in MeV, number of tracks. What lies outside is left out.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from baryon_hep.generation.hits import Hits

Images: TypeAlias = npt.NDArray[np.float32]

CHANNELS = ("calorimeter energy", "electromagnetic energy", "tracks")
UNITS = ("MeV", "MeV", "count")
MEV_PER_GEV = 1000.0
MANTISSA_BITS = 11
"""Bits that are kept of float32's 23: a relative precision of 2e-4."""


def render(hits: Hits, size: int, eta_max: float) -> Images:
    """Return images (N, 3, size, size) of N events up to |eta| = `eta_max`."""
    towers = hits.towers.astype(np.float64)
    tracks = hits.tracks.astype(np.float64)
    total, em = towers[:, 2] * MEV_PER_GEV, towers[:, 3] * MEV_PER_GEV
    pixel, inside = _pixel(hits.tower_counts, towers, size, eta_max)
    track_pixel, _ = _pixel(hits.track_counts, tracks, size, eta_max)
    bins = len(hits.tower_counts) * size * size
    channels = [
        np.bincount(pixel, total[inside], bins),
        np.bincount(pixel, em[inside], bins),
        np.bincount(track_pixel, minlength=bins),
    ]
    shape = (len(hits.tower_counts), size, size)
    images = np.stack([channel.reshape(shape) for channel in channels], axis=1)
    # Digits far below the resolution of a calorimeter are noise, which gzip cannot compress.
    return rounded(images.astype(np.float32))


def rounded(values: Images) -> Images:
    """Round non-negative values to the nearest ones with `MANTISSA_BITS` bits of mantissa."""
    dropped = 23 - MANTISSA_BITS
    bits = values.view(np.uint32) + np.uint32(1 << (dropped - 1))
    return (bits & np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)).view(np.float32)


def _pixel(
    counts: npt.NDArray[np.int64], positions: npt.NDArray[np.float64], size: int, eta_max: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the pixels of hits, numbered over all images, and which hits are in the window.

    `positions` are (M, 2 or more): eta, phi, and what else there is of the M hits.
    """
    event = np.repeat(np.arange(len(counts)), counts)
    column = np.floor((positions[:, 0] + eta_max) / (2 * eta_max) * size).astype(np.int64)
    row = np.floor((positions[:, 1] + np.pi) / (2 * np.pi) * size).astype(np.int64)
    inside = (column >= 0) & (column < size)
    row = np.clip(row, 0, size - 1)
    return ((event * size + row) * size + column)[inside], inside
