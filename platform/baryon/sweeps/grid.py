"""Run every combination of the values given, and of each every fold."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from baryon.errors import BaryonError
from baryon.sweeps.planner import FOLD, Planner, common_overrides, single_override

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from baryon.sweeps.sweep import Sweep


def prepare(planner: Planner, overrides: Sequence[Override]) -> Callable[[Sweep], None]:
    """Make all jobs, and return the function that runs them in a sweep.

    Raises `BaryonError` for the first job that is wrong, before any runs.
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
    if planner.folds:
        keys, values = [*keys, FOLD], [*values, planner.folds]
    jobs = [
        planner.job([*common_overrides(overrides), *map(single_override, keys, combination)], keys)
        for combination in itertools.product(*values)
    ]

    def run(sweep: Sweep) -> None:
        sweep.introduce(sweep.add(jobs))
        sweep.run(jobs)

    return run
