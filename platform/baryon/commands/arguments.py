"""The arguments of commands that work on an existing run."""

from __future__ import annotations

from collections.abc import Sequence

from baryon.errors import BaryonError

HELP_FLAGS = ("-h", "--help")


def split_arguments(
    arguments: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """A command's own `key=value` arguments, and the others, which are overrides.

    Raises `BaryonError` for something else, or for a required key that is missing.
    """
    own: dict[str, str] = {}
    overrides = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise BaryonError(f"{argument!r} is not of the form key=value")
        if key in (*required, *optional):
            own[key] = value
        else:
            overrides.append(argument)
    for key in required:
        if not own.get(key):
            raise BaryonError(f"give {key}=<{key}>")
    return own, overrides
