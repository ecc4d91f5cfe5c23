"""Random fields on the sphere that live: spherical harmonics with a spectrum and a memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from baryon_climate.grid import Grid

Complex = npt.NDArray[np.complex64]
Numbers = npt.NDArray[np.float32]
TONES = 3
"""Frequencies that each coefficient is a sum of: enough to look random, and known at any time."""


class Harmonics:
    """Values on a grid from coefficients up to degree `degree` (triangular truncation)."""

    def __init__(self, grid: Grid, degree: int) -> None:
        self.grid, self.degree = grid, degree
        self._legendre = _legendre(np.sin(np.radians(grid.latitudes())), degree)

    def values(self, coefficients: Complex) -> Numbers:
        """Return the field (height, width) of coefficients (order m, degree l)."""
        width = self.grid.width
        # orders beyond the degree stay zero: the Fourier transform interpolates in longitude
        waves = np.zeros((self.grid.height, width // 2 + 1), np.complex64)
        parts = np.stack([coefficients.real, coefficients.imag], axis=1)
        for order, functions in enumerate(self._legendre):
            real, imaginary = parts[order, :, order:] @ functions
            waves[:, order].real, waves[:, order].imag = real, imaginary
        return np.fft.irfft(waves * np.float32(width), width, axis=1).astype(np.float32)


def _legendre(x: npt.NDArray[np.float64], degree: int) -> list[Numbers]:
    """Return the orthonormal associated Legendre functions: for each m (degree + 1 - m, len(x)).

    By the recurrence over the degree, which is stable up to some thousand.
    """
    functions = []
    diagonal = np.full_like(x, np.sqrt(1 / (4 * np.pi)))
    for m in range(degree + 1):
        if m:
            diagonal = diagonal * np.sqrt((2 * m + 1) / (2 * m)) * np.sqrt(1 - x**2)
        rows = [diagonal]
        if degree > m:
            rows.append(x * np.sqrt(2 * m + 3) * diagonal)
        for n in range(m + 2, degree + 1):
            a = np.sqrt((4 * n**2 - 1) / (n**2 - m**2))
            b = np.sqrt(((n - 1) ** 2 - m**2) / (4 * (n - 1) ** 2 - 1))
            rows.append(a * (x * rows[-1] - b * rows[-2]))
        functions.append(np.array(rows, np.float32))
    return functions


@dataclass(frozen=True)
class Spectrum:
    """Variance by degree: flat up to `peak`, then falling with the power `slope`."""

    peak: float
    slope: float
    lowest: int = 1

    def deviations(self, degree: int) -> npt.NDArray[np.float64]:
        """Return the deviation of a coefficient by degree, so that the field has variance one."""
        n = np.arange(degree + 1, dtype=float)
        share = np.where(n < self.peak, 1.0, (np.maximum(n, 1) / self.peak) ** -self.slope)
        share[: self.lowest] = 0
        return np.asarray(np.sqrt(share / share.sum() * 4 * np.pi / (2 * n + 1)))


class Living:
    """A field of unit variance that drifts east and forgets itself, at any time by itself."""

    def __init__(
        self,
        random: np.random.Generator,
        degree: int,
        spectrum: Spectrum,
        memory_days: float,
        drift: float,
    ) -> None:
        """Draw a field whose waves of degree `peak` last `memory_days`; `drift`: degrees a day."""
        shape = (TONES, degree + 1, degree + 1)
        tones = random.standard_normal(shape) + 1j * random.standard_normal(shape)
        tones[:, 0] = np.sqrt(2) * tones[:, 0].real  # order 0 does not depend on the longitude
        self._tones = (tones * spectrum.deviations(degree) / np.sqrt(2 * TONES)).astype(
            np.complex64
        )
        n = np.maximum(np.arange(degree + 1), 1.0)
        # small waves forget faster, as the -2/3 power of their size (an eddy's turnover time)
        memory = memory_days * np.minimum(1.5, (n / spectrum.peak) ** (-2 / 3))
        self._rates = random.standard_normal(shape) / memory
        self._rates -= np.radians(drift) * np.arange(degree + 1)[:, None]

    def coefficients(self, days: float) -> Complex:
        """Return the coefficients (order, degree) at a time, in days."""
        turned = self._tones * np.exp(1j * self._rates * days)
        return np.asarray(turned.sum(axis=0), np.complex64)
