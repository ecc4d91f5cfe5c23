"""Climate: find cyclones and atmospheric rivers in the output of global climate models."""

from collections.abc import Mapping

from baryon import hookimpl


@hookimpl
def baryon_datasets() -> Mapping[str, str]:
    """Global frames of CAM5, or of any CF files, with boxes around extreme weather."""
    return {
        "climate_extreme_weather": (
            "baryon_climate.dataset.climate_extreme_weather:ClimateExtremeWeather"
        ),
        "climate_netcdf": "baryon_climate.dataset.climate_netcdf:ClimateNetcdf",
    }


@hookimpl
def baryon_models() -> Mapping[str, str]:
    """The detectors of "Deep Learning at 15PF" and of Racah et al., and a modern one."""
    return {
        "climate_15pf": "baryon_climate.model.climate_15pf:climate_15pf",
        "climate_modern": "baryon_climate.model.climate_modern:climate_modern",
        "climate_racah_2d": "baryon_climate.model.climate_racah:climate_racah_2d",
        "climate_racah_3d": "baryon_climate.model.climate_racah:climate_racah_3d",
    }


@hookimpl
def baryon_losses() -> Mapping[str, str]:
    """Boxes where they are known, the reconstruction everywhere."""
    return {
        "climate_semi_supervised": (
            "baryon_climate.loss.climate_semi_supervised:ClimateSemiSupervised"
        ),
    }


@hookimpl
def baryon_evaluators() -> Mapping[str, str]:
    """Precision and skill of boxes against hand-made criteria, of tracks against best tracks."""
    return {
        "climate_boxes": "baryon_climate.evaluator.climate_boxes:ClimateBoxes",
        "climate_tracks": "baryon_climate.evaluator.climate_tracks:ClimateTracks",
    }
