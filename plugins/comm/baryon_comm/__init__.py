"""Communication strategies: who learns together, and how."""

from collections.abc import Mapping

from baryon import hookimpl


@hookimpl
def baryon_communicators() -> Mapping[str, str]:
    """One process alone."""
    return {"serial": "baryon_comm.serial:Serial"}
