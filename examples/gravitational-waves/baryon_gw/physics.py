"""The detector's noise, and the chirp of two black holes that fall into each other.

Everything is whitened: each frequency is divided by the noise's amplitude there. Detector noise
then is white with variance 1, and the norm of a signal is its optimal signal-to-noise ratio, SNR.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Series = np.ndarray[Any, np.dtype[np.floating[Any]]]

SAMPLE_RATE = 1024  # Hz
WINDOW = 1024  # samples, 1 s
LOWEST = 20.0  # Hz; below it the ground shakes too much
SECONDS_PER_SUN = 4.925491e-6  # G M_sun / c^3
SEGMENT = 4 * WINDOW
"""What is whitened is longer than the window that is cut from it, so that no end reaches it."""
TAPER = SAMPLE_RATE // 10


def noise_density(frequency: Series) -> Series:
    """Power spectral density (1/Hz) of Advanced LIGO's design from 20 Hz on.

    The fit in Sathyaprakash and Schutz, Living Rev. Relativity 12 (2009) 2, table 1 (as
    remembered).
    """
    x = frequency / 215.0
    high = 111 * (1 - x**2 + x**4 / 2) / (1 + x**2 / 2)
    return np.asarray(1e-49 * (x**-4.14 - 5 * x**-2 + high))


def seconds_to_merger(frequency: float, chirp_mass: float) -> float:
    """Of a binary (chirp mass in solar masses) whose wave has a frequency (Hz), leading order."""
    mass = chirp_mass * SECONDS_PER_SUN
    return float(5 / 256 * mass ** (-5 / 3) * (np.pi * frequency) ** (-8 / 3))


def last_frequency(chirp_mass: float) -> float:
    """Hz at the innermost stable circular orbit of two equal masses, where the chirp ends."""
    total = chirp_mass * 4**0.6 * SECONDS_PER_SUN
    return float(1 / (6**1.5 * np.pi * total))


def chirp(chirp_mass: float, merger: float, phase: float) -> Series:
    """A whitened chirp of norm 1 in a window; `merger` (s) and `phase` (rad) say when and how.

    The leading order of general relativity: the frequency grows with the time to merger to the
    power -3/8, the amplitude with the frequency to the power 2/3.
    """
    mass = chirp_mass * SECONDS_PER_SUN
    time = (np.arange(SEGMENT) - (SEGMENT - WINDOW)) / SAMPLE_RATE  # 0 where the window begins
    left = np.maximum(merger - time, 1e-9)
    frequency = (5 / (256 * left)) ** (3 / 8) * mass ** (-5 / 8) / np.pi
    wave = frequency ** (2 / 3) * np.cos(phase - 2 * (left / (5 * mass)) ** (5 / 8))
    wave[(time >= merger) | (frequency > last_frequency(chirp_mass))] = 0
    wave[:TAPER] *= np.sin(np.linspace(0, np.pi / 2, TAPER)) ** 2
    cut: Series = whiten(wave)[-WINDOW:]
    return cut / np.linalg.norm(cut)


def whiten(strain: Series) -> Series:
    """Divide by the noise's amplitude at each frequency; nothing is left below 20 Hz."""
    frequency = np.fft.rfftfreq(len(strain), 1 / SAMPLE_RATE)
    inside = frequency >= LOWEST
    amplitude = np.zeros(len(frequency))
    amplitude[inside] = noise_density(frequency[inside]) ** -0.5
    return np.fft.irfft(np.fft.rfft(strain) * amplitude, n=len(strain))


def noise(random: np.random.Generator, windows: int) -> Series:
    """Whitened noise (windows, WINDOW) of the detector: white from 20 Hz on."""
    spectrum = np.fft.rfft(random.normal(size=(windows, 2 * WINDOW)))
    spectrum[:, np.fft.rfftfreq(2 * WINDOW, 1 / SAMPLE_RATE) < LOWEST] = 0
    return np.fft.irfft(spectrum)[:, :WINDOW]


def template_bank(chirp_masses: tuple[float, float], templates: int) -> np.ndarray[Any, Any]:
    """Spectra (templates, 2 WINDOW) complex of chirps whose masses grow by a constant factor.

    Each holds the two phases of a chirp as one analytic signal, padded to twice the window.
    """
    lowest, highest = chirp_masses
    bank = [
        chirp(mass, merger=0.9, phase=0.0) + 1j * chirp(mass, merger=0.9, phase=-np.pi / 2)
        for mass in np.geomspace(lowest, highest, templates)
    ]
    return np.fft.fft(np.asarray(bank), n=2 * WINDOW)


def matched_filter(strain: np.ndarray[Any, Any], bank: np.ndarray[Any, Any]) -> Series:
    """Return the largest SNR (N,) over all templates, times and phases, of windows (N, WINDOW)."""
    spectrum = np.fft.fft(strain, n=2 * WINDOW)
    largest = np.zeros(len(strain))
    for template in bank:
        ratio = np.abs(np.fft.ifft(spectrum * template.conj()))
        largest = np.maximum(largest, ratio.max(axis=1))
    return largest
