"""Every combination of the values given."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from baryon.errors import BaryonError
from baryon.sweeps.plan import Planner, fixed, one_value

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from baryon.sweeps.sweep import Sweep


def prepare(planner: Planner, overrides: Sequence[Override]) -> Callable[[Sweep], None]:
    """Make all jobs, and give what runs them in a sweep.

    Raises `BaryonError` for the first job that cannot be, before any runs.
    """
    swept = [override for override in overrides if override.is_sweep_override()]
    for override in swept:
        if not override.is_discrete_sweep():
            raise BaryonError(
                f"{override.input_line}: a grid needs single values, as in "
                f"{override.get_key_element()}=1,2; sweep=optuna searches an interval"
            )
    keys = [override.get_key_element() for override in swept]
    values = [list(override.sweep_string_iterator()) for override in swept]
    jobs = [
        planner.job([*fixed(overrides), *map(one_value, keys, chosen)], keys)
        for chosen in itertools.product(*values)
    ]

    def run(sweep: Sweep) -> None:
        sweep.introduce(sweep.add(jobs))
        sweep.run(jobs)

    return run
