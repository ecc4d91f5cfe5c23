"""What Hydra and OmegaConf have to say about a config, in one line of ours."""

from __future__ import annotations

import re

from baryon.errors import did_you_mean

WRONG_USAGE = ("Config group override must", "Only one of --")
"""How Hydra's errors about `model=null` and `-m --cfg job` start, which are plain ValueErrors."""


def one_line(error: Exception) -> str:
    """The error as one line that says what is wrong and what exists instead."""
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
    if not str(error).startswith(WRONG_USAGE[0]):
        return ""
    return "an option is chosen by its name, as in model=<name>, not by null or a number"


def _ambiguous(error: BaseException) -> str:
    found = re.match(r"Ambiguous value for argument '(?P<override>.*?)'\n", str(error))
    if not found:
        return ""
    override = found["override"]
    key, _, value = override.partition("=")
    return (
        f"Ambiguous value for argument {override!r}: a list is {key}=[{value}], a text is "
        f"\"{key}='{value}'\", and a sweep over the values needs -m"
    )


def _unreadable(error: BaseException) -> str:
    from hydra.errors import OverrideParseException

    if not isinstance(error, OverrideParseException):
        return ""
    lines = error.message.splitlines()
    reason = " ".join(line for line in lines if not line.startswith(("Error parsing", "See http")))
    return f"cannot read {error.override!r}: {reason}"


def _unknown_option(error: BaseException) -> str:
    from hydra.errors import MissingConfigException

    wanted = getattr(error, "missing_cfg_file", None)
    if not isinstance(error, MissingConfigException) or not wanted:
        return ""
    group, _, name = wanted.rpartition("/")
    if not group:
        return f"no config {name!r}"
    return f"no option {group}={name}; {did_you_mean(error.options or (), name)}"


def _unchosen(error: BaseException) -> str:
    found = re.match(r"You must specify '([^']+)'.*?options:\s*(.*)", str(error), re.DOTALL)
    if not found:
        return ""
    group, options = found.groups()
    return f"no {group} chosen: give {group}=<name>; {did_you_mean(options.split())}"


def _unknown_key(error: BaseException) -> str:
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError

    cause = error if isinstance(error, ConfigAttributeError | ConfigKeyError) else error.__cause__
    if not isinstance(cause, ConfigAttributeError | ConfigKeyError):
        return ""
    parent = cause.parent_node
    where = str(cause.full_key).rpartition(".")[0] or "the config"
    known = [str(key) for key in parent] if parent is not None else []
    return f"{where} has no key {str(cause.key)!r}; {did_you_mean(known, str(cause.key))}"


def _wrong_value(error: BaseException) -> str:
    from omegaconf.errors import OmegaConfBaseException

    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if not isinstance(cause, OmegaConfBaseException) or not cause.full_key:
        return ""
    return f"{cause.full_key}: {str(cause).splitlines()[0]}"
