"""From a choice in the config to a living component: load its factory, check, call it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any

from baryon.bounds import check_size
from baryon.config import Choice
from baryon.errors import BaryonError, one_of
from baryon.interfaces import RUNTIME_ARGUMENTS
from baryon.plugins import Plugins

Maker = Callable[..., Any]


def prepare(plugins: Plugins, choice: Choice) -> Maker:
    """Load the chosen factory and check its options; call the result with run-time arguments.

    Raises `BaryonError` for an option the factory does not take, one that is missing, or a value
    that does not fit the factory's annotation.
    """
    component = plugins.component(choice.kind, choice.name)
    factory = component.load()
    owner = f"{choice.kind} {choice.name!r} (plugin {component.plugin!r})"
    check_arguments(owner, factory, choice.arguments, RUNTIME_ARGUMENTS[choice.kind])
    wanted = inspect.signature(factory).parameters

    def make(**runtime: Any) -> Any:
        return factory(**choice.arguments, **{k: v for k, v in runtime.items() if k in wanted})

    return make


def check_arguments(
    owner: str,
    factory: Callable[..., Any],
    arguments: Mapping[str, Any],
    runtime: Collection[str],
) -> None:
    """Raise `BaryonError` unless `arguments` are just what `factory` takes beside `runtime`.

    A value that the option leaves open, `???`, fits.
    """
    parameters = configurable(factory, runtime)
    for key in arguments:
        if key not in parameters:
            raise BaryonError(f"{owner} takes no {key!r}; {one_of(parameters, key)}")
    for key, parameter in parameters.items():
        if key not in arguments and parameter.default is parameter.empty:
            raise BaryonError(f"{owner} needs {key!r}: add it to the option's YAML")
    for key, value in arguments.items():
        if value != "???":
            _check_type(f"{owner}: {key}", factory, parameters[key], value)
            check_size(f"{owner}: {key}", value)


def configurable(
    factory: Callable[..., Any], runtime: Collection[str]
) -> dict[str, inspect.Parameter]:
    """The parameters that an option's YAML gives."""
    parameters = inspect.signature(factory).parameters
    return {name: p for name, p in parameters.items() if name not in runtime}


def _check_type(
    owner: str, factory: Callable[..., Any], parameter: inspect.Parameter, value: Any
) -> None:
    from typeguard import TypeCheckError, check_type

    if parameter.annotation is parameter.empty:
        return
    try:
        check_type(value, _annotation(owner, factory, parameter))
    except TypeCheckError:
        raise BaryonError(
            f"{owner}={value!r} is of the wrong type: it must be {_shown(parameter.annotation)}"
        ) from None


def _annotation(owner: str, factory: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The annotation as a type; a text under `from __future__ import annotations`."""
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    try:
        return eval(parameter.annotation, vars(sys.modules[factory.__module__]))  # noqa: S307
    except NameError as error:
        raise BaryonError(
            f"{owner}: the annotation {parameter.annotation!r} cannot be read ({error}): import "
            "its names at run time, not under TYPE_CHECKING"
        ) from None


def _shown(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
