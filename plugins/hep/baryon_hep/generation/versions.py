"""Name the software that shapes the events, most of which the extra `hep-sim` installs."""

from importlib.metadata import version
from importlib.util import find_spec

from baryon.errors import BaryonError

EXTRA = ("pythia8mc", "fastjet", "awkward", "vector")


def require_simulation() -> None:
    """Raise `BaryonError` if a library of the simulation is not installed."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise BaryonError(
            f"generating events needs {', '.join(missing)}: pip install 'baryon[hep-sim]'"
        )


def versions() -> dict[str, str]:
    """Return the versions by the name of the distribution."""
    return {name: version(name) for name in ("baryon", *EXTRA, "numpy", "h5py")}
