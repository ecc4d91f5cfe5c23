"""Check the overrides of a command line before Hydra composes anything from them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from baryon.config.errors import one_line
from baryon.errors import BaryonError
from baryon.system.plain_limits import DEEPEST


def require_readable(overrides: Iterable[str]) -> None:
    """Raise `BaryonError` for an override that Hydra cannot read, or that changes Hydra itself."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    for override in overrides:
        _require_no_setting_of_hydra(override)
        _require_shallow(override)
        # One by one, so that the message names the one that is wrong.
        try:
            parser.parse_overrides([override])
        except HydraException as error:
            raise BaryonError(one_line(error)) from error
        except (ValueError, OverflowError, RecursionError) as error:  # an integer of 5,000 digits
            raise BaryonError(f"cannot read {override!r:.80}: {error}") from error


def _require_no_setting_of_hydra(override: str) -> None:
    # Hydra would move the working directory, its own logs and a job's folder where we look for none
    # of them.
    key = override.lstrip("+~").partition("=")[0]
    if key.startswith(("hydra.", "hydra/")):
        raise BaryonError(
            f"{override!r:.80}: settings of Hydra itself cannot be given; results lie where "
            "run.root, run.name and sweep.name say, jobs of a sweep run where launch= says"
        )


def _require_shallow(override: str) -> None:
    # Hydra's parser recurses once a level, and so takes down the process at some thousands.
    depths = accumulate((character in "[{") - (character in "]}") for character in override)
    if max(depths, default=0) > DEEPEST:
        raise BaryonError(f"{override!r:.80} is nested more than {DEEPEST} levels deep")
