"""Communication strategies: how ranks share data and combine gradients."""

from collections.abc import Mapping

from baryon import hookimpl


@hookimpl
def baryon_communicators() -> Mapping[str, str]:
    """Offer `serial` and `virtual` for one process, and four strategies for many."""
    return {
        "serial": "baryon_comm.serial:Serial",
        "sync": "baryon_comm.sync:sync",
        "async": "baryon_comm.hybrid:asynchronous",
        "hybrid": "baryon_comm.hybrid:hybrid",
        "local_sgd": "baryon_comm.local_sgd:local_sgd",
        "virtual": "baryon_comm.virtual.virtual:virtual",
    }
