"""How the synthetic frames compare with a frame of a weather model.

    python benchmarks/climate_realism.py [--real FRAME.nc] [--worlds 20]

FRAME.nc holds the 16 channels by name on a global grid of both poles, such as 2.5 degrees of a GFS
forecast; without it the synthetic frames are measured alone, on such a grid at October 11, 0 UTC.
The generator makes frames on the same grid at the same time of the year and day, in as many years
of weather as `--worlds` says. Means are over areas. One real frame is one draw: it has no error of
its own, and the spread of the synthetic frames says how far two frames differ by chance.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from baryon_climate.fields import NAMES, index
from baryon_climate.generation.continents import geography
from baryon_climate.generation.weather import VERSION, World
from baryon_climate.grid import Grid

Numbers = npt.NDArray[np.float64]
MM_A_DAY = 86400e3
BANDS = ((0, 10), (10, 20), (20, 30), (30, 40), (40, 50), (50, 60), (60, 70))
SEED = 1
DAY = 283.0
"""Without a real frame: October 11, 0 UTC."""


@dataclass(frozen=True)
class Frame:
    """One state of the atmosphere, with the area of each pixel."""

    images: Numbers
    """(16, height, width) in the channels' units."""
    grid: Grid
    land: npt.NDArray[np.bool_]
    hour: float
    """UTC."""

    def of(self, name: str) -> Numbers:
        """Return a channel."""
        return np.asarray(self.images[index(name)], np.float64)

    def rows(self, south: float, north: float) -> npt.NDArray[np.bool_]:
        """Return the rows of both hemispheres between two latitudes."""
        away = np.abs(self.grid.latitudes())
        return np.asarray((away >= south) & (away <= north))

    def mean(self, values: Numbers, south: float = 0, north: float = 90) -> float:
        """Return the mean over the area between two latitudes of both hemispheres."""
        rows = self.rows(south, north)
        weights = np.cos(np.radians(self.grid.latitudes()[rows]))
        return float(np.average(values[rows].mean(axis=1), weights=weights))

    def eddies(self, name: str, south: float, north: float) -> float:
        """Return the standard deviation along circles of latitude."""
        values = self.of(name)
        away = values - values.mean(axis=1, keepdims=True)
        return float(np.sqrt(self.mean(away**2, south, north)))

    def spectrum(self, name: str, south: float, north: float) -> Numbers:
        """Return the variance by zonal wavenumber, a mean over the rows."""
        waves = np.fft.rfft(self.of(name)[self.rows(south, north)], axis=1)
        return np.asarray(2 * (np.abs(waves) ** 2).mean(axis=0) / self.grid.width**2)

    def slope(self, name: str, south: float, north: float, first: int, last: int) -> float:
        """Return the power with which variance falls between two zonal wavenumbers."""
        numbers = np.arange(first, last + 1)
        spectrum = self.spectrum(name, south, north)[first : last + 1]
        return float(np.polyfit(np.log(numbers), np.log(spectrum), 1)[0])

    def over_land(self, values: Numbers, first: float, last: float) -> float:
        """Return the mean over land up to 60 degrees where it is that time of the day."""
        local = (self.hour + self.grid.longitudes() / 15) % 24
        hours = ((local >= first) & (local < last))[None, :]
        return float(values[self.land & self.rows(0, 60)[:, None] & hours].mean())


EDDIES = (
    ("V850", "m/s", 1.0),
    ("PSL", "hPa", 0.01),
    ("T500", "K", 1.0),
    ("TMQ", "kg/m²", 1.0),
    ("Z200", "m", 1.0),
)
"""Field, unit that is shown, and what the field is multiplied by for it."""


@dataclass(frozen=True)
class Quantity:
    """A line of the table."""

    name: str
    unit: str
    measure: Callable[[Frame], float]


def quantities() -> Iterator[Quantity]:
    """Return what is compared."""
    yield Quantity("rain, global mean", "mm/d", lambda f: f.mean(f.of("PRECT")) * MM_A_DAY)
    yield from (_mean_of_band("rain", "mm/d", "PRECT", MM_A_DAY, *band) for band in BANDS)
    yield from (_rainy_area(limit) for limit in (1, 20))
    yield Quantity("vapour, global mean", "kg/m²", lambda f: f.mean(f.of("TMQ")))
    yield from (_mean_of_band("vapour", "kg/m²", "TMQ", 1.0, *band) for band in BANDS)
    for field in EDDIES:
        yield from (_eddies(*field, *band) for band in ((0, 20), (40, 60)))
    for name in ("V850", "TMQ"):
        for band in ((20, 35), (40, 60)):
            yield _slope(name, *band)
            yield _fine_variance(name, *band)
    yield from (_fine_wind(*band) for band in ((0, 20), (20, 35), (40, 60)))
    hours = ((0, 6), (6, 9), (9, 12), (15, 18), (18, 24))
    yield from (_ground_less_air(*span) for span in hours)


# One function a quantity: a lambda within a loop would see the loop's last values.


def _mean_of_band(
    caption: str, unit: str, name: str, factor: float, low: float, high: float
) -> Quantity:
    return Quantity(
        f"{caption}, {low} to {high}°", unit, lambda f: factor * f.mean(f.of(name), low, high)
    )


def _rainy_area(limit: float) -> Quantity:
    def percent(frame: Frame) -> float:
        return 100 * frame.mean((frame.of("PRECT") * MM_A_DAY > limit).astype(float))

    return Quantity(f"area with more than {limit} mm/d", "%", percent)


def _eddies(name: str, unit: str, factor: float, low: float, high: float) -> Quantity:
    caption = f"{name}, deviation along {low} to {high}°"
    return Quantity(caption, unit, lambda f: factor * f.eddies(name, low, high))


def _slope(name: str, low: float, high: float) -> Quantity:
    caption = f"{name}, slope of variance over wavenumbers 8 to 40, {low} to {high}°"
    return Quantity(caption, "", lambda f: f.slope(name, low, high, 8, 40))


def _fine_variance(name: str, low: float, high: float) -> Quantity:
    caption = f"{name}, share of variance beyond wavenumber 16, {low} to {high}°"
    return Quantity(caption, "%", lambda f: _fine_share(f, name, low, high))


def _fine_wind(low: float, high: float) -> Quantity:
    caption = f"V850 beyond wavenumber 16 at the median pixel, {low} to {high}°"
    return Quantity(caption, "m/s", lambda f: _fine_at_median(f, "V850", low, high))


def _ground_less_air(first: int, last: int) -> Quantity:
    caption = f"ground less air at 2 m, land, {first} to {last} h local time"
    return Quantity(caption, "K", lambda f: f.over_land(f.of("TS") - f.of("TREFHT"), first, last))


def _fine_at_median(frame: Frame, name: str, south: float, north: float) -> float:
    """Return the size of the small scales where half of the area has less: storms do not matter."""
    waves = np.fft.rfft(frame.of(name)[frame.rows(south, north)], axis=1)
    waves[:, :17] = 0
    return float(np.median(np.abs(np.fft.irfft(waves, frame.grid.width, axis=1))))


def _fine_share(frame: Frame, name: str, south: float, north: float) -> float:
    spectrum = frame.spectrum(name, south, north)
    return 100 * float(spectrum[17:].sum() / spectrum[1:].sum())


def real_frame(path: Path) -> tuple[Frame, float]:
    """Read the frame and its day of the year. Rain in kg/(m2 s) becomes m/s."""
    with xr.open_dataset(path) as file:
        values = {name: file[name].to_numpy()[0].astype(np.float64) for name in NAMES}
        if file["PRECT"].attrs.get("units") == "kg m-2 s-1":
            values["PRECT"] = values["PRECT"] / 1000  # kg/m3 of water
        images = np.stack([values[name] for name in NAMES])
        time = file["time"].dt
        day = float(time.dayofyear[0]) - 1 + float(time.hour[0]) / 24
    grid = Grid.globe(*images.shape[1:])
    return Frame(images, grid, geography(grid).land > 0.9, 24 * (day % 1)), day


def synthetic_frames(grid: Grid, day: float, worlds: int) -> list[Frame]:
    """Make frames of one time, each of another year of weather."""
    land = geography(grid).land > 0.9
    return [
        Frame(World(grid, SEED, year).frame(day)[0].astype(np.float64), grid, land, 24 * (day % 1))
        for year in range(worlds)
    ]


def main() -> None:
    """Print the table, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--real", type=Path, help="NetCDF file with one frame")
    parser.add_argument("--worlds", type=int, default=20, help="synthetic frames")
    arguments = parser.parse_args()
    real, day = real_frame(arguments.real) if arguments.real else (None, DAY)
    grid = real.grid if real else Grid.globe(73, 144)
    lines = table(synthetic_frames(grid, day, arguments.worlds), real)
    within = [line for line in lines if real and _within(line)]
    summary = {
        "name": "synthetic frames: quantities within 3 deviations or 25 % of a real frame's",
        "value": len(within) if real else None,
        "unit": "quantities",
        "alternative": len(lines),
        "ratio": round(len(within) / len(lines), 3) if real else None,
        "goal": None,
    }
    print(json.dumps({**summary, "generator": VERSION, "worlds": arguments.worlds, "lines": lines}))


def table(frames: Sequence[Frame], real: Frame | None) -> list[dict[str, Any]]:
    """Print a line for each quantity, and return them."""
    print("| quantity | synthetic | real frame | unit |\n|---|---|---|---|")
    lines = []
    for quantity in quantities():
        values = np.array([quantity.measure(frame) for frame in frames])
        mean, deviation = float(values.mean()), float(values.std(ddof=1))
        measured = None if real is None else quantity.measure(real)
        shown = "-" if measured is None else f"{measured:.3g}"
        print(f"| {quantity.name} | {mean:.3g} ± {deviation:.2g} | {shown} | {quantity.unit} |")
        lines.append(
            {
                "quantity": quantity.name,
                "synthetic": round(mean, 4),
                "deviation": round(deviation, 4),
                "real": None if measured is None else round(measured, 4),
                "unit": quantity.unit,
            }
        )
    return lines


def _within(line: Mapping[str, Any]) -> bool:
    apart = abs(line["synthetic"] - line["real"])
    return bool(apart <= 3 * line["deviation"] or apart <= 0.25 * abs(line["real"]))


if __name__ == "__main__":
    main()
