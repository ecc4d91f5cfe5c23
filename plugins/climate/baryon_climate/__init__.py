"""Climate: find cyclones and atmospheric rivers in the output of global climate models."""

from collections.abc import Mapping

from baryon import hookimpl


@hookimpl
def baryon_datasets() -> Mapping[str, str]:
    """Global frames of CAM5 with boxes around extreme weather."""
    return {
        "climate_extreme_weather": (
            "baryon_climate.dataset.climate_extreme_weather:ClimateExtremeWeather"
        ),
    }
