"""`baryon data generate dataset=gw_strain`: windows of noise, half of them with a chirp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
from baryon.errors import BaryonError
from baryon.system.atomic import atomic_write
from baryon.terminal.console import say

from baryon_gw import physics

CHUNK = 256
EARLIEST, LATEST = 0.6, 0.95
"""Seconds after the window's begin between which the merger lies."""


def generate(
    *,
    out: str,
    windows: Mapping[str, int],
    chirp_mass: Sequence[float],
    snr: Sequence[float],
    seed: int,
) -> None:
    """Write `<out>/<split>.h5` for each split; the same settings give the same samples.

    Raises `BaryonError` for impossible ranges; a file that is there already is left alone.
    """
    for name, (low, high) in {"chirp_mass": chirp_mass, "snr": snr}.items():
        if not 0 < low <= high:
            raise BaryonError(f"generate.{name}=[{low},{high}] must be two rising numbers above 0")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    for number, (split, count) in enumerate(windows.items()):
        path = folder / f"{split}.h5"
        if path.exists():
            raise BaryonError(f"{path} is there already: give another folder with generate.out=")
        with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
            _write(file, count, chirp_mass, snr, np.random.default_rng([seed, number]))
        say(f"{path}: {count} windows of {physics.WINDOW / physics.SAMPLE_RATE:g} s")


def _write(
    file: h5py.File,
    count: int,
    chirp_mass: Sequence[float],
    snr: Sequence[float],
    random: np.random.Generator,
) -> None:
    (lightest, heaviest), (weakest, strongest) = chirp_mass, snr
    strain = physics.noise(random, count).astype(np.float32)
    label = random.permutation(np.arange(count) % 2).astype(np.int64)
    masses = np.where(label, random.uniform(lightest, heaviest, count), 0).astype(np.float32)
    strengths = np.where(label, random.uniform(weakest, strongest, count), 0).astype(np.float32)
    mergers = random.uniform(EARLIEST, LATEST, count)
    phases = random.uniform(0, 2 * np.pi, count)
    for row in np.flatnonzero(label):
        wave = physics.chirp(float(masses[row]), mergers[row], phases[row])
        strain[row] += strengths[row] * wave
    chunk = (min(CHUNK, count), physics.WINDOW)
    file.create_dataset("strain", data=strain, chunks=chunk, compression="gzip", shuffle=True)
    for name, values in {"label": label, "chirp_mass": masses, "snr": strengths}.items():
        file[name] = values
