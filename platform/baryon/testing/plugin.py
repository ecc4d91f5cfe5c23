"""The contract of a plugin as checks: call `check_plugin("<name>")` in a plugin's own test.

`check_training` makes one tiny step with the choices that it is given; a plugin that brings a
communicator calls `check_communicator` as well. A check raises `AssertionError` or `BaryonError`
with one line: who breaks the contract, and how.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from baryon.config.config import GENERATE, PREDICT, PRIMARY, option_values
from baryon.config.options import first_comment
from baryon.interfaces import RUNTIME_ARGUMENTS
from baryon.launch.child_python import child_python
from baryon.plugins.components import check_arguments
from baryon.plugins.registry import KINDS, Component, Plugin, Plugins, discover, load_target
from baryon.prediction.predictor import predictor_target
from baryon.testing.communicator import check_communicator
from baryon.testing.training import check_training

__all__ = ["check_communicator", "check_plugin", "check_training"]

HEAVY = ("h5py", "matplotlib", "mpi4py", "torch")
"""Modules that reading a plugin's hooks must not import: it is done at every start."""

NAMED_BY = {GENERATE: ("dataset", "generator"), PREDICT: ("evaluator", "predictor")}
"""Groups of options for what a component's factory names -> that kind and the attribute."""

_READ_HOOKS = """
import sys
from baryon.plugins.registry import discover
discover()
print(*sorted(set(sys.argv[1:]) & set(sys.modules)))
"""


def check_plugin(name: str) -> None:
    """All that a plugin must be."""
    plugins = discover()
    plugin = healthy_plugin(name, plugins)
    check_light(plugin, plugins)
    for component in plugin.components:
        check_factory(component)
        if component.kind == "evaluator":
            check_predictor(plugin, component)
    for option in plugin.options:
        check_comment(plugin, option)
        if option.partition("/")[0] in (*KINDS, *PRIMARY):
            check_option(plugin, option, plugins)


def healthy_plugin(name: str, plugins: Plugins) -> Plugin:
    """It is installed, its hooks can be read, and it clashes with no other."""
    found = [plugin for plugin in plugins.all if plugin.name == name]
    _require(found, f"no plugin {name!r} is installed: name it under the entry points `baryon`")
    for problem in plugins.problems():
        _require(found[0].error != problem and f"plugin {name!r}" not in problem, problem)
    return found[0]


def check_light(plugin: Plugin, plugins: Plugins) -> None:
    """Reading its hooks in a fresh interpreter imports nothing of `HEAVY`."""
    others = {other.name for other in plugins.all} - {plugin.name}
    environment = {"BARYON_DISABLE": ",".join(others), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = child_python("-c", _READ_HOOKS, *HEAVY)
    imported = subprocess.run(  # noqa: S603
        command, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()
    _require(
        not imported,
        f"plugin {plugin.name!r} imports {', '.join(imported)} with its hooks, which every start "
        "waits for: import it in the components' modules",
    )


def check_factory(component: Component) -> None:
    """It can be imported, has a docstring, and takes keyword-only arguments without defaults."""
    who = f"{component.kind} {component.name!r} of plugin {component.plugin!r}"
    _check_arguments(who, component.target, component.load())


def check_predictor(plugin: Plugin, evaluator: Component) -> None:
    """If it names a predictor: that is a factory like others, and has its YAML."""
    target = predictor_target(evaluator)
    if target is None:
        return
    who = f"predictor of evaluator {evaluator.name!r} of plugin {evaluator.plugin!r}"
    _check_arguments(who, target, load_target(who, target))
    option = f"{PREDICT}/{evaluator.name}"
    _require(option in plugin.options, f"{who}: there is no conf/{option}.yaml with its defaults")


def _check_arguments(who: str, target: str, factory: Callable[..., Any]) -> None:
    _require(factory.__doc__, f"{who}: {target} has no docstring")
    for name, parameter in inspect.signature(factory).parameters.items():
        _require(
            parameter.kind is parameter.KEYWORD_ONLY,
            f"{who}: argument {name!r} of {target} must be keyword-only: put * before it",
        )
        _require(
            parameter.default is parameter.empty,
            f"{who}: argument {name!r} of {target} has a default: the YAML is its place",
        )


def check_comment(plugin: Plugin, option: str) -> None:
    """Its YAML starts with a comment, which is its line in `baryon train --help`."""
    path = plugin.conf / f"{option}.yaml" if plugin.conf else None
    _require(
        path and first_comment(path),
        f"option {option} of plugin {plugin.name!r}: the first line of conf/{option}.yaml must be "
        "a comment that says what it is",
    )


def check_option(plugin: Plugin, option: str, plugins: Plugins) -> None:
    """Its keys are the arguments of the component's factory, and its values fit them."""
    kind, _, name = option.partition("/")
    owner = f"option {option} of plugin {plugin.name!r}"
    values = option_values(owner, kind, name, plugins)
    factory = _factory(owner, kind, values.pop("name", name), plugins)
    check_arguments(owner, factory, values, RUNTIME_ARGUMENTS.get(kind, ()))


def _factory(owner: str, kind: str, name: str, plugins: Plugins) -> Callable[..., Any]:
    factory: Callable[..., Any]
    if kind not in NAMED_BY:
        factory = plugins.component(kind, name).load()
        return factory
    of, attribute = NAMED_BY[kind]
    target = getattr(plugins.component(of, name).load(), attribute, None)
    if target is None:
        raise AssertionError(f"{owner}: {of} {name!r} names no {attribute}")
    factory = load_target(owner, target)
    return factory


def _require(holds: object, fault: str) -> None:
    if not holds:
        raise AssertionError(fault)
