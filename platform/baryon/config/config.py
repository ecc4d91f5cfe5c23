"""Compose a run's config with Hydra, check it, and freeze it into plain values with a hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from baryon.config.errors import WRONG_USAGE, one_line
from baryon.errors import BaryonError
from baryon.launch.environment import cluster_environment
from baryon.plugins.bounds import check_seed
from baryon.plugins.components import Choice
from baryon.plugins.registry import KINDS, Plugins, host_conf
from baryon.system.atomic import write_text
from baryon.system.plain_data import LARGEST_YAML, interpolations, read_yaml
from baryon.system.plain_limits import DEEPEST
from baryon.terminal.console import warn
from baryon.terminal.credentials import without_credentials

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from baryon.config.schemas import Data, Run, Tracking, Train

SWEEPER = "hydra_plugins.baryon.BaryonSweeper"
"""Named in `conf/config.yaml`; only `baryon train -m` makes one."""
PRIMARY_CONFIG = "pkg://baryon_conf"
GENERATE, PREDICT = "generate", "predict"
PRIMARY = {GENERATE: "data_generate", PREDICT: "predict"}
"""Groups of options that are no part of a run -> the primary config that has them."""
OF_SWEEPS = ("sweep", "launch")
"""Sections that say what runs there are, not what a run is."""
NOT_DECISIVE = ("run", "tracking")
"""Sections that say where results go, not what they are."""
BY_COMMAND_ALONE = ("data.stage", "tracking.mlflow")
"""Keys that a run's own file cannot set for whoever reads it, for the run may be somebody else's:
they write outside the run's folder, or reach a server with the reader's credentials."""
OPTION_NAME = re.compile(r"\w[\w.+-]*")
NO_TRACKING = {"tensorboard": False, "mlflow": None, "experiment": "baryon"}
"""Of runs that were started before there was any."""
FLAGS = ("-m, --multirun", "-c, --cfg", "-p, --package", "-cd, --config-dir")
"""All that a command line may have beside overrides."""
OF_HYDRA = ("hydra.launcher.", "hydra.sweep.", "hydra/sweeper")
"""Settings of Hydra that pass: those of launchers; sweeps refuse the others in their own words."""
NO_PROCESSES = {"data": {"processes": 0}}
"""Of runs that were started before there were any."""


@dataclass(frozen=True)
class Config:
    """A run's frozen config; `values` is the whole of it as plain values, to be written down.

    Credentials in addresses are in the typed parts alone.
    """

    seed: int
    train: Train
    run: Run
    data: Data
    tracking: Tracking
    choices: Mapping[str, Choice]
    values: Mapping[str, Any]

    @property
    def decisive(self) -> dict[str, Any]:
        """All that decides the result: everything but where it is written."""
        return {key: value for key, value in self.values.items() if key not in NOT_DECISIVE}

    @property
    def digest(self) -> str:
        """Hash of all that decides the result."""
        text = json.dumps(self.decisive, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def compose(
    config_name: str, arguments: Sequence[str], task: Callable[[DictConfig], None], plugins: Plugins
) -> None:
    """Compose the config that `arguments` choose and call `task` once, or once a job under `-m`.

    `--cfg` prints the config instead. Raises `BaryonError` with one line for whatever is wrong.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    flags = _parse_flags(arguments)
    require_readable(argument for argument in arguments if _is_override(argument))
    register(plugins, None if flags.multirun else flags.config_dir)  # else Hydra adds it
    try:
        if flags.multirun:
            _sweep(config_name, arguments, task)
        else:
            _run_once(config_name, flags, task)
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise BaryonError(one_line(error)) from error
    except ValueError as error:
        if not str(error).startswith(WRONG_USAGE):
            raise
        raise BaryonError(one_line(error)) from error


def _run_once(config_name: str, flags: Namespace, task: Callable[[DictConfig], None]) -> None:
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import flag_override

    with hydra.initialize_config_dir(str(host_conf()), version_base="1.3"):
        whole = hydra.compose(config_name, flags.overrides, return_hydra_config=True)
    # `freeze` and the commands read the chosen options from Hydra's own record of them.
    record = HydraConfig.instance()
    held = record.cfg
    record.set_config(whole)
    try:
        # A copy by `masked_copy` would lose the schema, which `baryon data repack` reads back.
        job = deepcopy(whole)
        with flag_override(job, ["struct", "readonly"], False):
            del job["hydra"]
        if flags.cfg is None:
            task(job)
        else:
            _print_config({"job": job, "all": whole}.get(flags.cfg, whole), flags)
    finally:
        record.cfg = held


def _print_config(config: DictConfig, flags: Namespace) -> None:
    from omegaconf import Container, OmegaConf, flag_override

    if flags.cfg == "hydra":
        config = OmegaConf.masked_copy(config, ["hydra"])
        with flag_override(config.hydra, ["struct", "readonly"], False):
            for page in ("help", "hydra_help"):  # texts that no command of Baryon prints
                config.hydra.pop(page, None)
    package = None if flags.package == "_global_" else flags.package
    part = config if package is None else OmegaConf.select(config, package)
    if part is None:
        raise BaryonError(f"--package {package}: the config has no such part")
    heading = f"# @package {package}\n" if package is not None else ""
    text = heading + OmegaConf.to_yaml(part) if isinstance(part, Container) else f"{part}\n"
    print(text, end="")  # noqa: T201  to be read by programs


def _sweep(config_name: str, arguments: Sequence[str], task: Callable[[DictConfig], None]) -> None:
    """Let Hydra hand the sweep to Baryon's sweeper: only `hydra.main` makes a sweeper."""
    import hydra

    main = hydra.main(version_base="1.3", config_path=PRIMARY_CONFIG, config_name=config_name)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors pass through Hydra, to be said in our own words
    sys.argv = [sys.argv[0], *_for_hydra(arguments)]  # Hydra takes its arguments from nowhere else
    main(task)()


def _parse_flags(arguments: Sequence[str]) -> Namespace:
    """Parse the flags and overrides. Raises `BaryonError` for a flag that is not Baryon's own.

    Hydra takes more flags than these, and any beginning of one (`--experiment=x` would unpickle
    the file x), so it is given only what has passed here.
    """
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--cfg", "-c", choices=("job", "hydra", "all"))
    parser.add_argument("--package", "-p")
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("--multirun", "-m", action="store_true")

    def error(message: str) -> NoReturn:
        raise BaryonError(
            f"{message}; options are given as group=option, keys as key=value, without dashes; "
            f"the flags are {', '.join(FLAGS)}"
        )

    parser.error = error  # type: ignore[method-assign]
    return parser.parse_args(_for_hydra(arguments))


def require_readable(overrides: Iterable[str]) -> None:
    """Raise `BaryonError` for an override that Hydra cannot read, or that changes Hydra itself."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        if key.startswith(("hydra.", "hydra/")) and not key.startswith(OF_HYDRA):
            raise BaryonError(
                f"{override!r:.80}: of Hydra's own settings only hydra.launcher.<key> can be "
                "given, where launch= has chosen a launcher; results lie where run.root and "
                "run.name say"
            )
        brackets = accumulate((character in "[{") - (character in "]}") for character in override)
        if max(brackets, default=0) > DEEPEST:
            raise BaryonError(f"{override!r:.80} is nested more than {DEEPEST} levels deep")
        try:
            parser.parse_overrides([override])
        except HydraException as error:
            raise BaryonError(one_line(error)) from error
        except (ValueError, OverflowError, RecursionError) as error:  # an integer of 5,000 digits
            raise BaryonError(f"cannot read {override!r:.80}: {error}") from error


def register(plugins: Plugins, user_folder: str | None = None) -> None:
    """Put the plugins' conf folders behind the primary config, and the host's schemas.

    The user's own folder of options (`--config-dir`) comes last: it adds options and shadows none.
    """
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins as HydraPlugins

    from baryon.config.schemas import Root

    search_path = _search_path_plugin()
    search_path.plugins = plugins
    search_path.user_folder = _existing(user_folder)
    HydraPlugins.instance().register(search_path)
    store = ConfigStore.instance()
    store.store(name="baryon_schema", node=Root)
    store.store(group="hydra/sweeper", name="baryon", node={"_target_": SWEEPER})


def _existing(folder: str | None) -> Path | None:
    if folder is None:
        return None
    path = Path(folder).absolute()
    if not path.is_dir():
        raise BaryonError(f"Additional config directory '{path}' not found")
    return path


@cache
def _search_path_plugin() -> Any:
    """One a process: Hydra keeps all that it is given, and looks through the paths of each."""
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.plugins.search_path_plugin import SearchPathPlugin

    class PluginSearchPath(SearchPathPlugin):
        plugins: Plugins
        user_folder: Path | None

        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            for plugin in self.plugins.all:
                if plugin.conf is not None:
                    search_path.append(provider=plugin.name, path=f"file://{plugin.conf}")
            if self.user_folder is not None:
                search_path.append(provider="command-line", path=f"file://{self.user_folder}")

    return PluginSearchPath


def _for_hydra(arguments: Sequence[str]) -> list[str]:
    """Flags before overrides: Hydra's parser takes no overrides on both sides of a flag."""
    return sorted(arguments, key=_is_override)


def _is_override(argument: str) -> bool:
    return argument.startswith("~") or ("=" in argument and not argument.startswith("-"))


def unique_name() -> str:
    """Date, time and four random letters."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def freeze(composed: DictConfig) -> Config:
    """Resolve everything, once. Raises `BaryonError` for a missing or impossible value."""
    values = plain(composed)
    for key in interpolations(values):
        raise BaryonError(f"{key} holds '${{' after all has been resolved: give it plainly")
    of_the_run = {key: value for key, value in values.items() if key not in OF_SWEEPS}
    return thaw(of_the_run, choices=_chosen_options())


def plain(composed: DictConfig) -> dict[str, Any]:
    """A config as plain values. Raises `BaryonError` for one that is missing."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        missing = sorted(OmegaConf.missing_keys(composed))
        values: Any = OmegaConf.to_container(composed, resolve=True)
    except OmegaConfBaseException as error:
        raise BaryonError(one_line(error)) from error
    if missing:
        keys = ", ".join(missing)
        raise BaryonError(f"no value for {keys}: give it as {missing[0]}=<value>")
    return dict(values)


def thaw(values: Mapping[str, Any], choices: Mapping[str, str] | None = None) -> Config:
    """The frozen config from plain values, as they are written into a run's folder.

    Raises `BaryonError` for values that are no run's config.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from baryon.config.schemas import Root

    values = dict(values)
    for kind in KINDS:
        if not isinstance(values.get(kind), Mapping):
            raise BaryonError(f"this is no run's config: it has no section {kind!r}")
        values[kind] = {"name": (choices or {}).get(kind), **values[kind]}
        require_option_name(kind, values[kind]["name"])
    try:
        host = {key: value for key, value in values.items() if key not in KINDS}
        checked: Any = OmegaConf.merge(OmegaConf.structured(Root), host)
        sections: dict[str, Any] = {
            key: OmegaConf.to_object(checked[key]) for key in ("train", "run", "data", "tracking")
        }
        seed = checked.seed
    except (OmegaConfBaseException, TypeError, ValueError, OverflowError) as error:
        raise BaryonError(one_line(error)) from error
    check_seed("seed", checked.seed)
    return Config(
        seed=seed,
        choices={kind: _choice(kind, values[kind]) for kind in KINDS},
        values=without_credentials(values),
        **sections,
    )


def require_option_name(kind: str, name: object) -> None:
    """Raise `BaryonError` for what names no option: Hydra would look for it as for a path."""
    if not isinstance(name, str) or not OPTION_NAME.fullmatch(name):
        raise BaryonError(f"{kind}.name={name!r:.80} is no name of a component")


def _choice(kind: str, values: Mapping[str, Any]) -> Choice:
    arguments = {key: value for key, value in values.items() if key != "name"}
    return Choice(kind, values["name"], arguments)


def _chosen_options() -> dict[str, str]:
    """The option picked in each group: an option without a `name` is named like its component."""
    from hydra.core.hydra_config import HydraConfig

    choices = HydraConfig.get().runtime.choices
    return {kind: choices.get(kind, "") for kind in KINDS}


def write(config: Config, path: Path) -> None:
    """The frozen config as YAML. Raises `BaryonError` for one that `read` would not take."""
    from omegaconf import OmegaConf

    text = OmegaConf.to_yaml(OmegaConf.create(dict(config.values)))
    if len(text.encode()) > LARGEST_YAML:
        raise BaryonError(
            f"the config takes more than {LARGEST_YAML:,} bytes: give files as a pattern, not one "
            "by one"
        )
    write_text(path, text)


def read(
    path: Path,
    overrides: Sequence[str] = (),
    plugins: Plugins | None = None,
    asked: Mapping[str, Any] | None = None,
) -> Config:
    """A frozen config, changed by `key=value` overrides of keys that it has.

    With `plugins`, `comm=<name>` chooses another communicator, whose options `comm.<key>=<value>`
    then are. Keys of `BY_COMMAND_ALONE` hold if they are among the overrides, or with the values
    of `asked`. Raises `BaryonError` if the file is missing or not what Baryon writes, or an
    override names no key.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    if not path.is_file():
        raise BaryonError(f"{path.parent} is not a run folder: it has no {path.name}")
    stored = _stored(path)
    comm, overrides = _another_communicator(overrides, plugins)
    try:
        frozen = OmegaConf.merge(NO_PROCESSES, stored)
        OmegaConf.set_struct(frozen, True)
        changed = OmegaConf.merge(frozen, OmegaConf.from_dotlist(list(overrides)))
        missing = sorted(OmegaConf.missing_keys(changed))
        plain_values: Any = OmegaConf.to_container(changed, resolve=True)
    except (OmegaConfBaseException, YAMLError, TypeError, ValueError, RecursionError) as error:
        raise BaryonError(one_line(error)) from error
    if missing:
        raise BaryonError(f"{path} has no value for {missing[0]}: it is not as Baryon wrote it")
    config = thaw({"tracking": NO_TRACKING, **plain_values, **comm})
    if asked is not None:
        return _obeying(config, asked)
    given = {override.partition("=")[0] for override in overrides}
    wanted = asked_for(config.values)
    for key, value in wanted.items():
        if key not in given and cluster_environment().rank == 0:
            warn(
                f"{path} asks for {key}={value}, which only a command line can: give it again to "
                "have it"
            )
    obeyed = {key: value for key, value in asked_for(plain_values).items() if key in given}
    return _obeying(replace(config, values=_recorded(config.values, stored, obeyed)), obeyed)


def _stored(path: Path) -> dict[str, Any]:
    """What the file holds. Raises `BaryonError` for interpolations: no frozen config has any."""
    stored = read_yaml(path)
    for key in interpolations(stored):
        raise BaryonError(
            f"{path} holds '${{' in {key}, which Baryon never writes into it: put the value itself "
            "there"
        )
    for section in ("train", "run", "data", "tracking"):
        if not isinstance(stored.get(section, {}), dict):
            raise BaryonError(f"{path} is no run's config: its {section} is no section")
    return stored


def _recorded(
    values: Mapping[str, Any], stored: Mapping[str, Any], obeyed: Iterable[str]
) -> dict[str, Any]:
    """What is written down of a config: where its reader stages and tracks is not the run's."""
    recorded = dict(values)
    for group, _, name in (key.partition(".") for key in obeyed):
        recorded[group] = {**recorded[group], name: stored.get(group, {}).get(name)}
    return without_credentials(recorded)


def asked_for(values: Mapping[str, Any]) -> dict[str, Any]:
    """What of `BY_COMMAND_ALONE` a config asks for, from its plain values."""
    keys = {key: key.partition(".") for key in BY_COMMAND_ALONE}
    found = {key: values.get(group, {}).get(name) for key, (group, _, name) in keys.items()}
    return {key: value for key, value in found.items() if value is not None}


def _obeying(config: Config, asked: Mapping[str, Any]) -> Config:
    """The config with these values of `BY_COMMAND_ALONE`; what is written down stays."""
    return replace(
        config,
        data=replace(config.data, stage=asked.get("data.stage")),
        tracking=replace(config.tracking, mlflow=asked.get("tracking.mlflow")),
    )


def _another_communicator(
    overrides: Sequence[str], plugins: Plugins | None
) -> tuple[dict[str, Any], Sequence[str]]:
    """The section `comm` if it was chosen anew, and the other overrides."""
    names = [override.partition("=")[2] for override in overrides if override.startswith("comm=")]
    if plugins is None or not names:
        return {}, overrides
    own = [override for override in overrides if override.startswith("comm.")]
    others = [override for override in overrides if not override.startswith(("comm=", "comm."))]
    values = option_values(f"comm={names[-1]}", "comm", names[-1], plugins, own)
    return {"comm": {"name": names[-1], **values}}, others


def composed(arguments: Sequence[str], plugins: Plugins) -> Config:
    """The frozen config that a command's overrides make, without running anything.

    Raises `BaryonError` as `compose` and `freeze` do.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    require_readable(arguments)
    register(plugins)
    chosen = HydraConfig.instance()
    held = chosen.cfg
    try:
        with hydra.initialize_config_dir(str(host_conf()), version_base="1.3"):
            whole = hydra.compose("config", list(arguments), return_hydra_config=True)
        chosen.set_config(whole)
        return freeze(OmegaConf.masked_copy(whole, [str(key) for key in whole if key != "hydra"]))
    except (HydraException, OmegaConfBaseException) as error:
        raise BaryonError(one_line(error)) from error
    finally:
        chosen.cfg = held


@contextmanager
def _apart() -> Iterator[None]:
    """Compose something else within a run: Hydra holds one thing at a time."""
    from hydra.core.global_hydra import GlobalHydra

    held = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().clear()
        if held is not None:
            GlobalHydra.instance().initialize(held)


def option_values(
    owner: str, kind: str, name: str, plugins: Plugins, overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """An option's keys and values when it is chosen alone, overlays merged.

    Raises `BaryonError`, said of `owner`, for an option that cannot be composed.
    """
    primary = PRIMARY.get(kind, "config")
    others = [] if kind in PRIMARY else [f"~{other}" for other in KINDS if other != kind]
    arguments = [f"{kind}={name}", *others, *overrides]
    return _sections(owner, primary, arguments, [kind], plugins)[kind]


def options_values(names: Mapping[str, str], plugins: Plugins) -> dict[str, dict[str, Any]]:
    """The same of an option of each kind, chosen together: that takes Hydra no longer than one."""
    arguments = [f"{kind}={name}" for kind, name in names.items()]
    return _sections(" ".join(arguments), "config", arguments, names, plugins)


def _sections(
    owner: str, primary: str, arguments: Sequence[str], kinds: Iterable[str], plugins: Plugins
) -> dict[str, dict[str, Any]]:
    import hydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    require_readable(arguments)
    register(plugins)
    try:
        with _apart(), hydra.initialize_config_dir(str(host_conf()), version_base="1.3"):
            composed = hydra.compose(primary, list(arguments))
        sections: dict[str, Any]
        sections = {kind: OmegaConf.to_container(composed[kind], resolve=True) for kind in kinds}
    except (HydraException, OmegaConfBaseException) as error:
        raise BaryonError(f"{owner}: {one_line(error)}") from error
    return sections
