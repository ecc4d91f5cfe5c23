"""Communication strategies: who learns together, and how."""

from collections.abc import Mapping

from baryon import hookimpl


@hookimpl
def baryon_communicators() -> Mapping[str, str]:
    """One process alone, and four ways to be many."""
    return {
        "serial": "baryon_comm.serial:Serial",
        "sync": "baryon_comm.sync:sync",
        "async": "baryon_comm.hybrid:asynchronous",
        "hybrid": "baryon_comm.hybrid:hybrid",
        "local_sgd": "baryon_comm.local_sgd:local_sgd",
    }
