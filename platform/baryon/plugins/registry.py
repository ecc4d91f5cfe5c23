"""Find the installed plugins, check them, and look their components up.

A plugin is an entry point of the group `baryon` that names a package with hooks. All hooks of all
plugins are read at every start, which is cheap; the components behind them are imported only when
a run chooses one.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from baryon.errors import BaryonError, did_you_mean, format_error
from baryon.plugins import hookspecs
from baryon.plugins.failures import format_failure
from baryon.plugins.hookspecs import ENTRY_POINT_GROUP

KINDS: Mapping[str, str] = {
    "dataset": "baryon_datasets",
    "model": "baryon_models",
    "loss": "baryon_losses",
    "comm": "baryon_communicators",
    "evaluator": "baryon_evaluators",
}
"""Config group of each kind -> the hook that lists its components."""


@dataclass(frozen=True)
class Component:
    """One thing a run can choose: `target` is "module:factory"."""

    kind: str
    name: str
    target: str
    plugin: str

    @property
    def owner(self) -> str:
        """Return what a message calls it."""
        return f"{self.kind} {self.name!r} of plugin {self.plugin!r}"

    def load(self) -> Any:
        """Import the factory. Raises `BaryonError` naming plugin, component and target."""
        return load_target(self.owner, self.target)


def load_target(owner: str, target: str) -> Any:
    """Import what "module:name" points to. Raises `BaryonError` naming the owner."""
    module_name, _, attribute = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise BaryonError(
            f"{owner} failed to import {module_name}: {format_failure(error)}"
        ) from error
    if not hasattr(module, attribute):
        raise BaryonError(
            f"{owner} points to {target!r}, but {module_name} has no {attribute!r}: correct the "
            "plugin"
        )
    return getattr(module, attribute)


@dataclass
class Plugin:
    """An installed plugin; `error` says in one line why it cannot be used, "" if it can."""

    name: str
    distribution: str
    version: str
    components: list[Component] = field(default_factory=list)
    conf: Path | None = None
    error: str = ""

    @property
    def label(self) -> str:
        """Return what a message calls it, with where it came from."""
        return f"plugin {self.name!r} ({self.distribution})"

    @cached_property
    def options(self) -> list[str]:
        """Return the config options it ships, as `group/name`."""
        return config_options(self.conf) if self.conf else []


def config_options(folder: Path) -> list[str]:
    """Return all YAML files below a config folder as `group/name`, without the primary configs."""
    files = sorted(folder.glob("*/**/*.yaml"))
    return [file.relative_to(folder).with_suffix("").as_posix() for file in files]


class Plugins:
    """All installed plugins. `check` must have passed before a component is looked up."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.all = list(plugins)

    def check(self) -> None:
        """Raise `BaryonError` for the first thing that is wrong with what is installed."""
        for problem in self.problems():
            raise BaryonError(problem)

    def problems(self) -> Iterator[str]:
        """Generate a line for each broken plugin and each clash between two."""
        yield from (plugin.error for plugin in self.all if plugin.error)
        yield from self._clashes()

    def _clashes(self) -> Iterator[str]:
        offered: dict[str, str] = {}
        shipped = dict.fromkeys(config_options(host_conf()), "baryon itself")
        for plugin in self.all:
            for component in plugin.components:
                first = offered.setdefault(f"{component.kind} {component.name!r}", plugin.label)
                if first != plugin.label:
                    thing = f"{component.kind} {component.name!r}"
                    yield _clash(f"{thing} is offered", first, plugin.label)
            for option in plugin.options:
                first = shipped.setdefault(option, plugin.label)
                if first != plugin.label:
                    yield _clash(f"config option {option}.yaml is shipped", first, plugin.label)

    def components(self, kind: str) -> dict[str, Component]:
        """Return all components of a kind by name."""
        components = (component for plugin in self.all for component in plugin.components)
        return {component.name: component for component in components if component.kind == kind}

    def component(self, kind: str, name: str) -> Component:
        """Look a component up. Raises `BaryonError` with the nearest name and all that exist."""
        components = self.components(kind)
        if name not in components:
            known = did_you_mean(components, name)
            raise BaryonError(f"no plugin offers {kind} {name!r}; {known}")
        return components[name]


def _clash(what: str, first: str, second: str) -> str:
    return (
        f"{what} by both {first} and {second}: uninstall one of them, or block it with "
        "BARYON_DISABLE=<plugin>"
    )


def host_conf() -> Path:
    """Return the folder of the primary configs and of the host's own options."""
    import baryon_conf  # not a plugin: the host's own configuration

    return Path(next(iter(baryon_conf.__path__)))


def discover() -> Plugins:
    """Read every installed plugin's hooks; what is broken is recorded, not raised."""
    # A variable and no option: it has to work where a plugin breaks the command line itself.
    disabled = {name.strip() for name in os.environ.get("BARYON_DISABLE", "").split(",")}
    installed = entry_points(group=ENTRY_POINT_GROUP)
    points = [point for point in installed if point.name not in disabled]
    same_name = Counter(point.name for point in points)
    return Plugins([_read(point, points, same_name[point.name] > 1) for point in points])


def checked_plugins() -> Plugins:
    """Read every installed plugin's hooks. Raises `BaryonError` if one of them is not sound."""
    plugins = discover()
    plugins.check()
    return plugins


def _read(point: EntryPoint, points: list[EntryPoint], ambiguous: bool) -> Plugin:
    plugin = Plugin(point.name, *_origin(point))
    try:
        if ambiguous:
            raise BaryonError(_same_entry_point(point.name, points))
        module = _import(point, plugin)
        plugin.components = _components(module, plugin)
        plugin.conf = _conf_folder(module)
        _check_conf(plugin, module)
        _require_something(plugin, module)
    except BaryonError as error:
        plugin.error = str(error)
    return plugin


def _origin(point: EntryPoint) -> tuple[str, str]:
    if point.dist is None:
        return "unknown distribution", "?"
    return point.dist.metadata["Name"], point.dist.version


def _same_entry_point(name: str, points: list[EntryPoint]) -> str:
    owners = sorted({" ".join(_origin(point)) for point in points if point.name == name})
    return (
        f"plugin name {name!r} is claimed by {' and '.join(owners)}: uninstall one of them, "
        f"or block both with BARYON_DISABLE={name}"
    )


def _import(point: EntryPoint, plugin: Plugin) -> ModuleType:
    try:
        module = point.load()
    except Exception as error:  # a stranger's module may raise anything
        raise BaryonError(
            f"plugin {plugin.name!r} ({plugin.distribution} {plugin.version}) failed to import "
            f"{point.value}: {format_error(error)}; repair it, or block it with "
            f"BARYON_DISABLE={plugin.name}"
        ) from error
    if not isinstance(module, ModuleType):
        raise BaryonError(
            f"{plugin.label} names {point.value!r}, which is not a "
            "module: its entry point must be the package that holds the hooks"
        )
    return module


def _components(module: ModuleType, plugin: Plugin) -> list[Component]:
    """Read the hooks of a plugin. Raises `BaryonError` for one that breaks the contract."""
    # A manager of its own, so that an error is this plugin's and nobody else's.
    manager = pluggy.PluginManager("baryon")
    manager.add_hookspecs(hookspecs)
    _require_marks(module, plugin, manager)
    try:
        manager.register(module, name=plugin.name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise BaryonError(_wrong_hook(module, plugin, manager, error)) from error
    return [
        _component(kind, name, target, plugin)
        for kind, hook in KINDS.items()
        for name, target in _targets(manager, hook, plugin)
    ]


def _require_marks(module: ModuleType, plugin: Plugin, manager: pluggy.PluginManager) -> None:
    """Raise `BaryonError` for a function that is meant as a hook and is not marked as one."""
    hooks = list(KINDS.values())
    for name, function in vars(module).items():
        # pluggy passes over a function without the mark, and the component would just be missing.
        meant = inspect.isfunction(function) and difflib.get_close_matches(name, hooks, cutoff=0.85)
        if meant and manager.parse_hookimpl_opts(module, name) is None:
            other = "" if name in hooks else f" (and is named {meant[0]!r})"
            raise BaryonError(
                f"{plugin.label} has a function {name!r} that is no hook, for it lacks its mark: "
                f"write @hookimpl above it{other}, with `from baryon import hookimpl`"
            )


def _require_something(plugin: Plugin, module: ModuleType) -> None:
    if not plugin.components and not plugin.options:
        raise BaryonError(
            f"{plugin.label} offers nothing: its hooks must stand in {module.__name__}, the module "
            "that its entry point names, or be imported there"
        )


def _targets(manager: pluggy.PluginManager, hook: str, plugin: Plugin) -> list[tuple[str, Any]]:
    owner = f"hook {hook!r} of {plugin.label}"
    rule = "it must return a mapping name -> 'module:factory'"
    components: list[tuple[str, Any]] = []
    for implementation in getattr(manager.hook, hook).get_hookimpls():  # a call would drop None
        try:
            targets = implementation.function()
        except Exception as error:  # a stranger's hook may raise anything
            raise BaryonError(f"{owner} failed: {format_error(error)}; {rule}") from error
        if not isinstance(targets, Mapping):
            raise BaryonError(f"{owner} returned {targets!r}; {rule}")
        components += targets.items()
    return components


def _wrong_hook(
    module: ModuleType, plugin: Plugin, manager: pluggy.PluginManager, error: Exception
) -> str:
    names = vars(module)
    marked = (name for name in names if manager.parse_hookimpl_opts(module, name) is not None)
    unknown = sorted(set(marked) - set(KINDS.values()))
    if unknown:
        known = did_you_mean(KINDS.values(), unknown[0])
        return f"{plugin.label} has an unknown hook {unknown[0]!r}; {known}"
    return f"{plugin.label} has a wrong hook: {' '.join(str(error).split())}"


def _component(kind: str, name: str, target: object, plugin: Plugin) -> Component:
    if not isinstance(target, str) or target.count(":") != 1:
        raise BaryonError(
            f"{plugin.label} gives {target!r} for {kind} "
            f"{name!r}: a target is the text 'module:factory'"
        )
    return Component(kind, name, target, plugin.name)


def _conf_folder(module: ModuleType) -> Path | None:
    folder = Path(module.__file__ or "").parent / "conf"
    return folder if folder.is_dir() else None


def _check_conf(plugin: Plugin, module: ModuleType) -> None:
    """Raise `BaryonError` if a component has no YAML file, which holds its only defaults."""
    options = plugin.options
    missing = [part for part in plugin.components if f"{part.kind}/{part.name}" not in options]
    if not missing:
        return
    option = f"{missing[0].kind}/{missing[0].name}"
    remedy = (
        "write it"
        if plugin.options
        else "it ships no YAML file at all: put them into its wheel with "
        f"[tool.setuptools.package-data] {module.__name__} = ['conf/**/*.yaml'] in its "
        "pyproject.toml"
    )
    raise BaryonError(
        f"{plugin.label} offers {missing[0].kind} {missing[0].name!r} but ships no "
        f"conf/{option}.yaml; {remedy}"
    )
