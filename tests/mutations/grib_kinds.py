"""GRIB files as `climate_netcdf` reads them: edition 2 with a bitmap and without, and edition 1."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from hdf5_kinds import digest, options
from outcomes import Kind

from baryon_climate.dataset.climate_netcdf import ClimateNetcdf

ROWS, COLUMNS = 5, 8


def write_grib(folder: Path) -> Sequence[Path]:
    """Write two fields at two times, of few pixels, in a file of each edition."""
    import eccodes

    random = np.random.default_rng(4)
    for edition in (1, 2):
        with (folder / f"edition{edition}.grib").open("wb") as file:
            for day, (name, kind, mean) in (
                (day, field)
                for day in (1, 2)
                for field in (("t", "pl", 250.0), ("prmsl" if edition == 2 else "msl", "sfc", 1e5))
            ):
                handle = eccodes.codes_grib_new_from_samples(f"regular_ll_{kind}_grib{edition}")
                settings = {
                    "Ni": COLUMNS, "Nj": ROWS,
                    "latitudeOfFirstGridPointInDegrees": 72,
                    "latitudeOfLastGridPointInDegrees": -72,
                    "longitudeOfFirstGridPointInDegrees": 0,
                    "longitudeOfLastGridPointInDegrees": 315,
                    "iDirectionIncrementInDegrees": 45, "jDirectionIncrementInDegrees": 36,
                    "dataDate": 20110100 + day + 2 * edition, "dataTime": 0, "shortName": name,
                    "bitsPerValue": 12,
                }  # fmt: skip
                for key, value in settings.items():
                    eccodes.codes_set(handle, key, value)
                if kind == "pl":
                    eccodes.codes_set(handle, "level", 500)
                values = mean * (1 + 0.01 * random.normal(size=ROWS * COLUMNS))
                if day == 2:  # all pixels are there: a frame with gaps is refused
                    eccodes.codes_set(handle, "bitmapPresent", 1)
                eccodes.codes_set_values(handle, values)
                eccodes.codes_write(handle, file)
                eccodes.codes_release(handle)
    return sorted(folder.iterdir())


def read_grib(folder: Path) -> str:
    """Open and read as a training would."""
    whole = []
    for path in sorted(folder.iterdir()):
        changes = {"train": str(path), "channels": ["T500", "PSL"]}
        dataset = ClimateNetcdf(**options("baryon_climate", "climate_netcdf", **changes))
        whole.append(digest(dataset.splits["train"]))
    return " ".join(whole)


# ecCodes is an extra, without which GRIB is refused.
KINDS = [Kind("GRIB", write_grib, read_grib)] if find_spec("eccodes") else []
