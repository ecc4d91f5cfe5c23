"""All kinds of damaged input, from the files `<family>_kinds.py` beside this one.

A family is a module with a list `KINDS` of `outcomes.Kind`; a new file is found by its name.
"""

import importlib
from pathlib import Path

from outcomes import Kind


def all_kinds() -> dict[str, Kind]:
    """Every kind by its name, in the order of the families' names."""
    families = sorted(Path(__file__).parent.glob("*_kinds.py"))
    kinds = [kind for path in families for kind in importlib.import_module(path.stem).KINDS]
    assert len({kind.name for kind in kinds}) == len(kinds)
    return {kind.name: kind for kind in kinds}
