"""High-energy physics: find new physics in calorimeter images of LHC collisions."""

from collections.abc import Mapping

from baryon import hookimpl


@hookimpl
def baryon_datasets() -> Mapping[str, str]:
    """Offer calorimeter images in the two file layouts that are in use."""
    return {
        "hep_images": "baryon_hep.dataset.hep_images:HepImages",
        "hep_rpv_susy": "baryon_hep.dataset.hep_rpv_susy:HepRpvSusy",
    }


@hookimpl
def baryon_models() -> Mapping[str, str]:
    """Offer the network of "Deep Learning at 15PF"."""
    return {"hep_cnn": "baryon_hep.model.hep_cnn:hep_cnn"}


@hookimpl
def baryon_losses() -> Mapping[str, str]:
    """Offer cross-entropy with a choice of event weights."""
    return {"hep_cross_entropy": "baryon_hep.loss.hep_cross_entropy:HepCrossEntropy"}


@hookimpl
def baryon_evaluators() -> Mapping[str, str]:
    """Offer the weighted ROC curve, compared with the physics cuts."""
    return {"hep_roc": "baryon_hep.evaluator.hep_roc:HepRoc"}
