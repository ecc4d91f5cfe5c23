"""Build a component from a choice in the config: load its factory, check its arguments, call it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from baryon.errors import BaryonError, did_you_mean, form, format_error
from baryon.interfaces import RUNTIME_ARGUMENTS
from baryon.plugins.bounds import check_size
from baryon.plugins.failures import format_failure
from baryon.plugins.registry import Plugins


@dataclass(frozen=True)
class Choice:
    """The component a run picked of one kind, with the arguments of its factory."""

    kind: str
    name: str
    arguments: Mapping[str, Any]


Maker = Callable[..., Any]


def prepare(plugins: Plugins, choice: Choice) -> Maker:
    """Load the chosen factory and check its arguments.

    Returns
    -------
    A function of the run-time arguments (`RUNTIME_ARGUMENTS` of the kind) that builds the
    component; the factory is given those that it takes.

    Raises
    ------
    BaryonError
        For an argument the factory does not take, one that is missing, or a value that does not
        fit the factory's annotation. The returned function raises it for values with which the
        component cannot be built, and for a component that lacks what its kind must have.

    """
    component = plugins.component(choice.kind, choice.name)
    factory = component.load()
    owner = f"{choice.kind} {choice.name!r} (plugin {component.plugin!r})"
    check_arguments(owner, factory, choice.arguments, RUNTIME_ARGUMENTS[choice.kind])
    parameters = inspect.signature(factory).parameters

    def make(**runtime: Any) -> Any:
        accepted = {name: value for name, value in runtime.items() if name in parameters}
        return build(owner, choice.kind, factory, {**choice.arguments, **accepted})

    return make


MEMBERS: Mapping[str, tuple[str, ...]] = {
    "dataset": ("splits",),
    "model": ("parameters", "forward"),
    "loss": ("__call__",),
    "comm": ("is_server", "all_gather_object", "abort", "close"),  # all that a server has
    "evaluator": ("update", "state", "merge", "result"),
    "predict": ("predict", "write"),
}
"""Kind -> members by which a component is told from a factory's mistake; its contract has more."""


def build(owner: str, kind: str, factory: Maker, arguments: Mapping[str, Any]) -> Any:
    """Call a factory. Raises `BaryonError`, said of `owner`, if no component comes of it."""
    try:
        component = factory(**arguments)
    except BaryonError:
        raise
    except Exception as error:  # a stranger's factory may raise anything
        raise BaryonError(
            f"{owner} cannot be built with these values: {format_failure(error)}"
        ) from error
    # A factory that forgets its `return` is the commonest mistake; it would else fail far from
    # here, as an attribute of None.
    missing = [name for name in MEMBERS[kind] if not hasattr(component, name)]
    if missing:
        raise BaryonError(
            f"{owner} has made {form(component)}, which has no {missing[0]!r}: its factory must "
            f"return {'a torch.nn.Module' if kind == 'model' else f'a component of kind {kind}'}"
        )
    return component


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
            raise BaryonError(f"{owner} takes no {key!r}; {did_you_mean(parameters, key)}")
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
    """Return the parameters that an option's YAML gives: all but those of run time."""
    parameters = _parameters(factory).items()
    return {name: parameter for name, parameter in parameters if name not in runtime}


def _parameters(factory: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(factory).parameters
    except (TypeError, ValueError) as error:
        raise BaryonError(
            f"{factory!r} is not a factory ({format_error(error)}): it must be a function or a "
            "class with keyword-only, annotated arguments"
        ) from error


def _check_type(
    owner: str, factory: Callable[..., Any], parameter: inspect.Parameter, value: Any
) -> None:
    # Here and not above: the help and the completion need this module, and not typeguard.
    from typeguard import TypeCheckError, check_type

    if parameter.annotation is parameter.empty:
        raise BaryonError(
            f"{owner} cannot be checked: argument {parameter.name!r} of its factory has no "
            f"annotation; write {parameter.name}: <type>"
        )
    try:
        check_type(value, _annotation(owner, factory, parameter))
    except TypeCheckError:
        raise BaryonError(
            f"{owner}={value!r} is of the wrong type: it must be {_shown(parameter.annotation)}"
        ) from None


def _annotation(owner: str, factory: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """Return the annotation as a type. Raises `BaryonError` for a text that names none."""
    # Under `from __future__ import annotations` it is a text, of names in the factory's module.
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    try:
        return eval(parameter.annotation, vars(sys.modules[factory.__module__]))  # noqa: S307
    except Exception as error:  # noqa: BLE001  a stranger's text may raise anything
        raise BaryonError(
            f"{owner}: the annotation {parameter.annotation!r} cannot be read ({error}): import "
            "its names at run time, not under TYPE_CHECKING"
        ) from None


def _shown(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
