"""One opened file or store, with its axes of time and its grids, each decoded once."""

from __future__ import annotations

from pathlib import Path

from baryon_climate.dataset.cf_grid import FileGrid, file_grid
from baryon_climate.dataset.cf_opening import open_dataset
from baryon_climate.dataset.cf_time import TimeAxis, time_axis, time_coordinate
from baryon_climate.dataset.zarr_store import unwritten


class CfFile:
    """A NetCDF file or Zarr store. Pickled, it is its path: the receiver opens the file anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dataset, self._group = open_dataset(path)
        self._times: dict[str, TimeAxis] = {}
        self._time_names: dict[str, str] = {}
        self._grids: dict[tuple[str, ...], FileGrid] = {}

    def __getstate__(self) -> Path:
        return self.path

    def __setstate__(self, path: Path) -> None:
        self.__init__(path)  # type: ignore[misc]

    def times(self, name: str) -> TimeAxis:
        """Return when the frames of a variable are. Raises `BaryonError` if it has no times."""
        # asked for every frame that is read, and a file may have hundreds of variables
        if name not in self._time_names:
            coordinate = time_coordinate(self.dataset, self.dataset[name], str(self.path))
            key = self._time_names[name] = str(coordinate.name)
            if key not in self._times:
                self._times[key] = time_axis(coordinate, str(self.path))
        return self._times[self._time_names[name]]

    def grid(self, name: str) -> FileGrid:
        """Return the horizontal grid of a variable. Raises `BaryonError` if it is not regular."""
        # variables of the same dimensions share a grid, which need not be checked for each again
        key = tuple(map(str, self.dataset[name].dims))
        if key not in self._grids:
            self._grids[key] = file_grid(self.dataset, self.dataset[name], str(self.path))
        return self._grids[key]

    def other_dimensions(self, name: str) -> list[str]:
        """Return the dimensions of a variable without time, latitude and longitude."""
        grid, times = self.grid(name), self.times(name)
        axes = (times.dimension, grid.latitude, grid.longitude)
        return [str(dim) for dim in self.dataset[name].dims if dim not in axes]

    def variables(self) -> list[str]:
        """Return the names of what may be fields: variables of two dimensions or more."""
        return sorted(
            str(name) for name, array in self.dataset.data_vars.items() if array.ndim >= 2
        )

    def unwritten(self, name: str) -> str | None:
        """Say what of a variable was never written, which reads as the fill value, if anything."""
        return unwritten(self.path, self._group, name) if self.path.is_dir() else None

    def close(self) -> None:
        """Close the file."""
        self.dataset.close()
