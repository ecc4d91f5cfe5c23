"""The software that shapes the events, most of which the extra `hep-sim` brings."""

from importlib.metadata import version
from importlib.util import find_spec

from baryon.errors import BaryonError

EXTRA = ("pythia8mc", "fastjet", "awkward", "vector")


def require_simulation() -> None:
    """Raise `BaryonError` naming what is not installed."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise BaryonError(
            f"generating events needs {', '.join(missing)}: pip install 'baryon[hep-sim]'"
        )


def versions() -> dict[str, str]:
    """By name of the distribution."""
    return {name: version(name) for name in ("baryon", *EXTRA, "numpy", "h5py")}
