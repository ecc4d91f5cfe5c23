"""Say in one line what Hydra and OmegaConf report about a config."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from baryon.errors import BaryonError, did_you_mean

NO_NAME = "Config group override must"
"""How Hydra's error about `model=null` starts, which is a plain ValueError."""


@contextmanager
def hydra_errors() -> Iterator[None]:
    """Raise `BaryonError` with one line for whatever Hydra, OmegaConf or PyYAML raises inside."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        yield
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise BaryonError(one_line(error)) from error
    except ValueError as error:
        # Any other ValueError is a fault of ours or of a plugin, and keeps its traceback.
        if not str(error).startswith(NO_NAME):
            raise
        raise BaryonError(one_line(error)) from error


def one_line(error: Exception) -> str:
    """Return the error as one line that says what is wrong and what exists instead."""
    # The narrow ones first: the last two also fit errors that the others explain better.
    for explain in (
        _unnamed,
        _ambiguous,
        _unreadable,
        _unknown_option,
        _unchosen,
        _unknown_key,
        _wrong_value,
    ):
        text = explain(error)
        if text:
            return text
    return " ".join(str(error).split())


def _unnamed(error: BaseException) -> str:
    if not str(error).startswith(NO_NAME):
        return ""
    return "an option is chosen by its name, as in model=<name>, not by null or a number"


def _ambiguous(error: BaseException) -> str:
    match = re.match(r"Ambiguous value for argument '(?P<override>.*?)'\n", str(error))
    if not match:
        return ""
    override = match["override"]
    key, _, value = override.partition("=")
    return (
        f"Ambiguous value for argument {override!r}: a list is {key}=[{value}], a text is "
        f"\"{key}='{value}'\", and a sweep over the values needs -m"
    )


def _unreadable(error: BaseException) -> str:
    from hydra.errors import OverrideParseException

    if not isinstance(error, OverrideParseException):
        return ""
    # The first line repeats the override, the last names a page of Hydra's documentation.
    lines = error.message.splitlines()
    reason = " ".join(line for line in lines if not line.startswith(("Error parsing", "See http")))
    return f"cannot read {error.override!r}: {reason}"


def _unknown_option(error: BaseException) -> str:
    from hydra.errors import MissingConfigException

    missing = getattr(error, "missing_cfg_file", None)
    if not isinstance(error, MissingConfigException) or not missing:
        return ""
    group, _, name = missing.rpartition("/")
    if not group:
        return f"no config {name!r}"
    return f"no option {group}={name}; {did_you_mean(error.options or (), name)}"


def _unchosen(error: BaseException) -> str:
    # It names no attribute that holds the options: they stand in its text alone.
    match = re.match(r"You must specify '([^']+)'.*?options:\s*(.*)", str(error), re.DOTALL)
    if not match:
        return ""
    group, options = match.groups()
    return f"no {group} chosen: give {group}=<name>; {did_you_mean(options.split())}"


def _unknown_key(error: BaseException) -> str:
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError

    # Hydra wraps OmegaConf's error, which alone knows the keys that there are.
    cause = error if isinstance(error, ConfigAttributeError | ConfigKeyError) else error.__cause__
    if not isinstance(cause, ConfigAttributeError | ConfigKeyError):
        return ""
    parent = cause.parent_node
    section = str(cause.full_key).rpartition(".")[0] or "the config"
    known = [str(key) for key in parent] if parent is not None else []
    return f"{section} has no key {str(cause.key)!r}; {did_you_mean(known, str(cause.key))}"


def _wrong_value(error: BaseException) -> str:
    from omegaconf.errors import OmegaConfBaseException

    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if not isinstance(cause, OmegaConfBaseException) or not cause.full_key:
        return ""
    return f"{cause.full_key}: {str(cause).splitlines()[0]}"
