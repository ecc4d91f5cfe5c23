"""List what can be chosen, and show an option with its keys and documentation."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from baryon.commands.arguments import Arguments
from baryon.config import primary
from baryon.config.option_document import Key
from baryon.config.options import HOST, Option, Options, primary_keys
from baryon.errors import BaryonError, did_you_mean
from baryon.plugins.registry import KINDS, Plugins, discover
from baryon.terminal.console import console, say, show
from baryon.terminal.tables import fitted_text

MEANINGS = {
    "experiment": "choices and settings that belong together",
    "dataset": "what to learn from",
    "model": "what learns",
    "loss": "what is minimised",
    "comm": "how processes train together",
    "evaluator": "what it means to the field",
    "train": "how to train",
    "sweep": "which jobs a sweep has",
    "launch": "where a sweep's jobs run",
    "generate": "how `baryon data generate` makes a dataset",
    "predict": "how `baryon predict` writes what it finds",
}
CONFIG = "config"
"""Stands for the keys of the host that belong to no option."""


def run(arguments: Arguments) -> int:
    """Show groups, a group or an option. Raises `BaryonError` for one that does not exist."""
    plugins = discover()
    options = Options(plugins)
    group, slash, name = (arguments["option"] or "").replace("=", "/").partition("/")
    if not group:
        _groups(options)
    elif group == CONFIG:
        _keys("", primary_keys(primary.RUN))
    elif group not in {option.group for option in options.all}:
        known = {option.group for option in options.all} | {CONFIG}
        raise BaryonError(f"there is no group {group!r} of options; {did_you_mean(known, group)}")
    elif slash:
        _option(options.get(group, name), options, plugins)
    else:
        _group(group, options)
    return 0


def _groups(options: Options) -> None:
    others = {option.group for option in options.all} - set(options.groups)
    rows = [
        (group, str(len(options.of(group))), MEANINGS.get(group, ""))
        for group in (*options.groups, *sorted(others))
    ]
    rows.append((CONFIG, "", "keys of the host that belong to no option"))
    _show(("group", "options", "what they are"), rows)


def _group(group: str, options: Options) -> None:
    rows = [
        (f"{group}={option.name}", option.meaning, option.owner) for option in options.of(group)
    ]
    _show(("option", "what it is", "from"), rows)


def _option(option: Option, options: Options, plugins: Plugins) -> None:
    say(f"{option.group}={option.name}")
    say(f"{option.meaning}\n")
    say(f"from {_origin(option, plugins)}: {option.path}")
    if option.document.base:
        say(f"starts from {', '.join(f'{option.group}={name}' for name in option.document.base)}")
    chosen = options.chosen(option).items()
    if chosen:
        say(f"chooses {', '.join(f'{group}={name}' for group, name in chosen)}")
    keys = options.keys(option)
    names = {key.name: key.default for key in keys}
    prefix = "" if option.document.is_global else f"{option.group}."
    say("")
    _keys(prefix, [key for key in keys if prefix == "" or key.name != "name"])
    for text in documentation(_target(option, names.get("name", option.name), plugins)):
        say(f"\n{text}")


def _keys(prefix: str, keys: Sequence[Key]) -> None:
    if not keys:
        say("It has no keys.")
        return
    rows = [(f"{prefix}{key.name}", key.default, key.comment) for key in keys]
    _show(("key", "default", "what it is"), rows)


def _show(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    show(fitted_text(columns, rows, console().width, boxed=False))


def _origin(option: Option, plugins: Plugins) -> str:
    if option.owner == HOST:
        return "baryon itself"
    plugin = next(plugin for plugin in plugins.all if plugin.name == option.owner)
    return f"plugin {plugin.name} ({plugin.distribution} {plugin.version})"


def _target(option: Option, name: str, plugins: Plugins) -> str:
    """Return what an option configures, as "module:factory"; "" for an experiment or `train`."""
    is_generator = option.group == primary.GENERATE_GROUP
    # A generator has no hook of its own: the dataset's factory names it.
    kind = "dataset" if is_generator else option.group
    component = plugins.components(kind).get(name) if kind in KINDS else None
    target = component.target if component else ""
    return _generator(target) if is_generator else target


def _generator(target: str) -> str:
    """Return what a dataset's factory names as its `generator`."""
    _, _, factory = _definition(target)
    for node in factory.body if isinstance(factory, ast.ClassDef) else ():
        targets = getattr(node, "targets", ())
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if isinstance(node, ast.Assign) and "generator" in names:
            return str(ast.literal_eval(node.value))
    return ""


def documentation(target: str) -> Iterator[str]:
    """Generate what the author wrote about a factory, without importing it: it may be heavy."""
    # Read from its source: `show` would else wait for PyTorch.
    path, module, factory = _definition(target)
    if path:
        yield f"{target} ({path})"
    for node in (module, factory):
        text = ast.get_docstring(node) if node else None
        if text:
            yield inspect.cleandoc(text)


Definition = ast.FunctionDef | ast.ClassDef


def _definition(target: str) -> tuple[Path | None, ast.Module | None, Definition | None]:
    module_name, _, factory = target.partition(":")
    path = _source(module_name) if module_name else None
    if path is None:
        return None, None, None
    module = ast.parse(path.read_text(encoding="utf-8"))
    nodes = (node for node in module.body if isinstance(node, Definition))
    return path, module, next((node for node in nodes if node.name == factory), None)


def _source(module_name: str) -> Path | None:
    """Return the module's file; None where there is none that can be read."""
    try:
        spec = find_spec(module_name)
    except Exception as error:  # its package, a stranger's, may raise anything
        raise BaryonError(f"{module_name} cannot be found: {error}") from error
    path = Path(spec.origin) if spec and spec.origin else None
    return path if path and path.suffix == ".py" and path.is_file() else None
