"""The contract of every plugin as checks: call `check_plugin("<name>")` in a plugin's own test."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from baryon.config.option_document import first_comment
from baryon.config.option_mistakes import EXPERIMENT, experiment_mistake
from baryon.config.option_values import option_values
from baryon.config.primary import GENERATE_GROUP, PREDICT_GROUP, PRIMARY
from baryon.interfaces import RUNTIME_ARGUMENTS
from baryon.launch.child_python import child_python
from baryon.plugins.components import check_arguments
from baryon.plugins.registry import KINDS, Component, Plugin, Plugins, discover, load_target
from baryon.prediction.predictor import predictor_target
from baryon.testing.requirement import require

HEAVY = ("h5py", "matplotlib", "mpi4py", "torch")
"""Modules that reading a plugin's hooks must not import: it is done at every start."""

NAMED_BY = {GENERATE_GROUP: ("dataset", "generator"), PREDICT_GROUP: ("evaluator", "predictor")}
"""Groups of options for what a component's factory names -> that kind and the attribute."""

_READ_HOOKS = """
import sys
from baryon.plugins.registry import discover
discover()
print(*sorted(set(sys.argv[1:]) & set(sys.modules)))
"""


def check_plugin(name: str) -> None:
    """Check all that a plugin must be: hooks, factories, options and their defaults.

    Parameters
    ----------
    name
        The plugin's name, as its entry point gives it.

    Raises
    ------
    AssertionError, BaryonError
        With one line: who breaks the contract, and how.

    """
    plugins = discover()
    plugin = healthy_plugin(name, plugins)
    check_light(plugin, plugins)
    for component in plugin.components:
        check_factory(component)
        if component.kind == "evaluator":
            check_predictor(plugin, component)
    for option in plugin.options:
        check_comment(plugin, option)
        if plugin.conf is not None and option.startswith(f"{EXPERIMENT}/"):
            mistake = experiment_mistake(plugin.conf / f"{option}.yaml")
            require(not mistake, f"option {option} of plugin {name!r}: {mistake}")
        if option.partition("/")[0] in (*KINDS, *PRIMARY):
            check_option(plugin, option, plugins)


def healthy_plugin(name: str, plugins: Plugins) -> Plugin:
    """Return the plugin; check that its hooks can be read and that it clashes with no other."""
    plugin = next((plugin for plugin in plugins.all if plugin.name == name), None)
    if plugin is None:
        raise AssertionError(
            f"no plugin {name!r} is installed: name it under the entry points `baryon`"
        )
    for problem in plugins.problems():
        require(plugin.error != problem and f"plugin {name!r}" not in problem, problem)
    return plugin


def check_light(plugin: Plugin, plugins: Plugins) -> None:
    """Check that reading its hooks in a fresh interpreter imports nothing of `HEAVY`."""
    others = {other.name for other in plugins.all} - {plugin.name}
    environment = {"BARYON_DISABLE": ",".join(others), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = child_python("-c", _READ_HOOKS, *HEAVY)
    imported = subprocess.run(  # noqa: S603
        command, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()
    require(
        not imported,
        f"plugin {plugin.name!r} imports {', '.join(imported)} with its hooks, which every start "
        "waits for: import it in the components' modules",
    )


def check_factory(component: Component) -> None:
    """Check that it can be imported, has a docstring and keyword-only arguments alone."""
    _check_arguments(component.owner, component.target, component.load())


def check_predictor(plugin: Plugin, evaluator: Component) -> None:
    """Check the predictor that an evaluator names: a factory like others, with its YAML."""
    target = predictor_target(evaluator)
    if target is None:
        return
    owner = f"predictor of evaluator {evaluator.name!r} of plugin {evaluator.plugin!r}"
    _check_arguments(owner, target, load_target(owner, target))
    option = f"{PREDICT_GROUP}/{evaluator.name}"
    require(option in plugin.options, f"{owner}: there is no conf/{option}.yaml with its defaults")


def _check_arguments(owner: str, target: str, factory: Callable[..., Any]) -> None:
    require(factory.__doc__, f"{owner}: {target} has no docstring")
    for name, parameter in inspect.signature(factory).parameters.items():
        require(
            parameter.kind is parameter.KEYWORD_ONLY,
            f"{owner}: argument {name!r} of {target} must be keyword-only: put * before it",
        )
        # With two places for defaults nobody could tell which one a run took.
        require(
            parameter.default is parameter.empty,
            f"{owner}: argument {name!r} of {target} has a default: the YAML is its place",
        )


def check_comment(plugin: Plugin, option: str) -> None:
    """Check that its YAML starts with a comment, which is its line in `baryon show`."""
    path = plugin.conf / f"{option}.yaml" if plugin.conf else None
    require(
        path and first_comment(path),
        f"option {option} of plugin {plugin.name!r}: the first line of conf/{option}.yaml must be "
        "a comment that says what it is",
    )


def check_option(plugin: Plugin, option: str, plugins: Plugins) -> None:
    """Check that its keys are the arguments of the component's factory, and its values fit."""
    kind, _, name = option.partition("/")
    owner = f"option {option} of plugin {plugin.name!r}"
    values = option_values(owner, kind, name, plugins)
    factory = _factory(owner, kind, values.pop("name", name), plugins)
    check_arguments(owner, factory, values, RUNTIME_ARGUMENTS.get(kind, ()))


def _factory(owner: str, kind: str, name: str, plugins: Plugins) -> Callable[..., Any]:
    """Return what an option gives arguments to: a component's factory, or what that names."""
    factory: Callable[..., Any]
    if kind not in NAMED_BY:
        factory = plugins.component(kind, name).load()
        return factory
    naming_kind, attribute = NAMED_BY[kind]
    target = getattr(plugins.component(naming_kind, name).load(), attribute, None)
    if target is None:
        raise AssertionError(f"{owner}: {naming_kind} {name!r} names no {attribute}")
    factory = load_target(owner, target)
    return factory
