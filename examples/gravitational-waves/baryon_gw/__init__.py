"""Baryon plugin gw: find the chirps of merging black holes in a detector's noise."""

from collections.abc import Mapping

from baryon import hookimpl


@hookimpl
def baryon_datasets() -> Mapping[str, str]:
    """Windows of whitened strain."""
    return {"gw_strain": "baryon_gw.dataset:GwStrain"}


@hookimpl
def baryon_models() -> Mapping[str, str]:
    """One-dimensional networks."""
    return {"gw_cnn": "baryon_gw.model:gw_cnn"}


@hookimpl
def baryon_losses() -> Mapping[str, str]:
    """Signal against noise."""
    return {"gw_cross_entropy": "baryon_gw.loss:GwCrossEntropy"}


@hookimpl
def baryon_evaluators() -> Mapping[str, str]:
    """Against the matched filter."""
    return {"gw_efficiency": "baryon_gw.evaluator:GwEfficiency"}
