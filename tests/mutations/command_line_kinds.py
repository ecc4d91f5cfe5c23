"""Command lines: of every command, with odd values, keys, flags and characters.

What would run for long or start processes is cut short: training ends when its components are
built, `launch`, `reproduce` and sweeps when all is ready to be started, `watch` when it would
listen.
"""

import contextlib
import os
import random
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra  # noqa: F401  imported before the children are forked
from checkpoint_kinds import DATA, RUN, write_run
from outcomes import Kind, Limits, caught_errors

from baryon.cli import main
from baryon.commands import launch, reproduce
from baryon.config.compose import composed
from baryon.config.flatten import flat
from baryon.errors import BaryonError
from baryon.plugins.registry import discover
from baryon.report import server
from baryon.sweeps import local
from baryon.training import run as training_run
from baryon.training.build import build_components
from baryon.training.consistency import build_consistently, distributed_run

CHANGE = Path("change.bin")
"""Damaged in place of a command line: its bytes are the seed of one."""
HEP = ("dataset=hep_images", "model=hep_cnn", "model.filters=2", f"dataset.train={DATA}")
CLIMATE = (
    "dataset=climate_extreme_weather", "model=climate_racah_2d", "dataset.train=climo_1979.h5",
)  # fmt: skip
OF_RUN = f"run={RUN}"
BASES: Sequence[Sequence[str]] = (
    ("train", *HEP),
    ("train", *HEP, "--cfg", "job"),
    ("train", *CLIMATE),
    ("train", "experiment=hep_demo", f"dataset.train={DATA}"),
    ("train", "-m", *HEP, "seed=1,2"),
    ("train", "-m", *HEP, "sweep=optuna", "sweep.trials=2", "seed=1,2"),
    ("evaluate", OF_RUN, "split=test", "weights=last", "loss.weighting=none"),
    ("evaluate", OF_RUN, "evaluator.bootstrap=2", "train.batch_size=8", "seed=1"),
    ("predict", OF_RUN, f"input={DATA}", "out=scores", "weights=last", "train.batch_size=8"),
    ("export", OF_RUN, "format=safetensors", "out=model.safetensors", "weights=last"),
    ("resume", OF_RUN, "comm=serial", "data.processes=0", "versions=any"),
    ("data", "generate", "dataset=hep_images", "generate.out=made", "generate.events=0"),
    ("data", "check", "dataset=hep_images", f"dataset.train={DATA}", "samples=8", "out=checked"),
    ("data", "show", OF_RUN, "step=1"),
    ("data", "repack", f"file={DATA}", "out=repacked.h5", "shuffle=false"),
    ("launch", "ranks=2", "train", *HEP),
    ("report", OF_RUN, "out=page.html"),
    ("report", OF_RUN, OF_RUN, "out=page.html"),
    ("report", "sweep=runs", "out=page.html"),
    ("watch", OF_RUN, "port=0"),
    ("reproduce", OF_RUN, "tolerance=0.1", "folder=."),
    ("plugins",),
    ("plugins", "new", "my_field", "out=my-field"),
    ("show",),
    ("show", "model/hep_cnn"),
    ("completion", "bash"),
)
TEXTS = (
    "", " ", "x", "null", "true", "nan", "inf", "-inf", "0", "-1", "-0.0", "1e-320", "1e308",
    "1e999", "2147483648", "9223372036854775808", "-9223372036854775809", "1" + "0" * 30,
    "9" * 5000, "1_000", "0x10", "1.5", ".", "..", "/", "a/b", "../../outside", "a\nb", "\x1b[31m",
    "\t", "\x7f", "\u202e", "é", "名前", "😀", "\udcff", "x" * 300, "x" * 100_000,
    "/".join("x" * 3000), "[", "]", "[]", "[[]]", "[1,2", "[1,2]", "{}", "{", "}", "{a:1}",
    "{a:{b:[1]}}", "{1:2}", "[" * 400 + "]" * 400, "{a:" * 300 + "1" + "}" * 300, "'", '"', "'x",
    "\\", "\\'", "'a''b'", "1,2", ",", "a,b,", "a=b", "=", "==", "choice(1,2)", "range(1,3)",
    "range(0,1e12)", "glob(*)", "sort(3,1)", "int(x)", "float('nan')", "${", "}", "${x}",
    "${oc.env:NO_SUCH}", "${oc.decode:x}", "${seed}", "${model}", "${hydra:runtime}", "???", "@",
    "~", "~nobody/x", "*", "?", "!", "&", "#", "$(touch run)", "`x`", "%s", "%(x)s", "{0}",
    "plain.txt", "folder", "pipe", "loop", "nothing/x", "pkg://x", "http://x", "file:///",
    "s3://x/y",
)  # fmt: skip
TO_READ = ("/dev/null", "/dev/zero", "/dev/full", "/proc/self/mem", "/", "/root", str(DATA))
"""Of keys that name what is only read."""
READ = ("run", "input", "file", "dataset.train", "dataset.val", "dataset.test", "sweep", "folder")
FLAGS = (
    "-m", "--multirun", "--cfg", "--cfg=all", "--cfg=x", "-c", "-p", "--package=x",
    "--config-dir=.", "--config-dir", "-cd=folder", "--config-name=x", "--config-path=.", "--info",
    "--info=all", "--resolve", "--run", "--version", "--help", "--hydra-help", "--shell-completion",
    "-sc=install", "--experimental-rerun=plain.txt", "--experimental-rerun",
    "--experiment=plain.txt", "-", "--", "---", "-x", "--x=1",
)  # fmt: skip
HYDRA = (
    "hydra.output_subdir", "hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir",
    "hydra.verbose", "hydra.job.chdir", "hydra.job.name", "hydra.mode", "hydra.sweeper",
    "hydra.launcher", "hydra.searchpath", "hydra.callbacks", "hydra.job.env_set",
    "hydra.job_logging", "hydra.x", "hydra/launcher", "hydra/sweeper", "hydra/job_logging",
    "hydra/output", "hydra/env",
)  # fmt: skip
GROUPS = ("experiment", "dataset", "model", "loss", "comm", "evaluator", "train", "launch", "sweep")
OPTIONS = ("hep_demo", "hep_images", "hep_cnn", "climate_boxes", "sync", "grid", "default", "x")
OWN = (
    "run", "sweep", "out", "input", "split", "weights", "format", "step", "port", "ranks",
    "samples",
)  # fmt: skip
WORK = ("generate.events", "generate.frames", "generate.years")
"""Keys whose huge values, and whose defaults, rightly mean much work."""


def write_command_lines(folder: Path) -> Sequence[Path]:
    """Write a run, what odd paths may name, and the file whose bytes choose a command line."""
    write_run(folder)
    (folder / "plain.txt").write_text("text\n")
    (folder / "folder").mkdir()
    (folder / CHANGE).write_bytes(bytes(64))
    return [folder / CHANGE]


def read_command_line(folder: Path) -> None:
    """Run a command line that the seed gives."""
    os.chdir(folder)
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    seed = CHANGE.read_bytes()
    arguments: Sequence[str] = BASES[0]
    if seed != bytes(64):
        arguments = changed(random.Random(seed))  # noqa: S311  damage
    _cut_short()
    said_by(arguments)


def changed(chance: random.Random) -> list[str]:
    """A command line with one or two changes, and now and then with three."""
    arguments = list(chance.choice(BASES))
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        chance.choice(CHANGES)(arguments, chance)
    return arguments


def _odd_value(arguments: list[str], chance: random.Random) -> None:
    """Give one of the keys that are there another value."""
    places = [place for place, argument in enumerate(arguments) if "=" in argument]
    if not places:
        arguments.append(chance.choice(TEXTS))
        return
    place = chance.choice(places)
    key = arguments[place].partition("=")[0]
    arguments[place] = f"{key}={_value(key, chance)}"


def _odd_key(arguments: list[str], chance: random.Random) -> None:
    """Give any key of the config, of Hydra or of a command a value."""
    key = chance.choice((*KEYS, *KEYS, *HYDRA, *OWN, *GROUPS))
    sign = chance.choice(("", "", "", "", "+", "++", "~"))
    arguments.append(f"{sign}{key}={_value(key, chance)}")


def _value(key: str, chance: random.Random) -> str:
    texts = (*TEXTS, *TO_READ) if key in READ else TEXTS
    value = chance.choice(texts)
    return "-1" if key in WORK and value.strip("[]'\"")[:1].isdigit() else value


def _option(arguments: list[str], chance: random.Random) -> None:
    arguments.append(f"{chance.choice(GROUPS)}={chance.choice(OPTIONS)}")


def _flag(arguments: list[str], chance: random.Random) -> None:
    arguments.insert(chance.randint(1, len(arguments)), chance.choice(FLAGS))


def _remove(arguments: list[str], chance: random.Random) -> None:
    """Leave one out, but for what keeps the work short: its default is a whole data set."""
    place = chance.randrange(len(arguments))
    if not arguments[place].startswith(WORK):
        arguments.pop(place)
    arguments[:] = arguments or [""]


def _repeat(arguments: list[str], chance: random.Random) -> None:
    arguments.insert(chance.randrange(len(arguments) + 1), chance.choice(arguments))


def _bare(arguments: list[str], chance: random.Random) -> None:
    """Take the sign of equality out of one argument, or double it."""
    place, sign = chance.randrange(len(arguments)), chance.choice(("", "==", " = ", ":"))
    arguments[place] = arguments[place].replace("=", sign)


def _character(arguments: list[str], chance: random.Random) -> None:
    """Put an odd piece anywhere into one argument."""
    place = chance.randrange(len(arguments))
    argument = arguments[place]
    if argument.startswith(WORK):
        return
    at = chance.randint(0, len(argument))
    arguments[place] = argument[:at] + chance.choice(TEXTS) + argument[at:]


CHANGES: Sequence[Callable[[list[str], random.Random], None]] = (
    _odd_value, _odd_value, _odd_value, _odd_key, _odd_key, _odd_key, _option, _flag, _remove,
    _repeat, _bare, _character,
)  # fmt: skip


def _keys() -> list[str]:
    values = composed([*HEP, "sweep=optuna"], discover()).values
    of_sweeps = ["sweep.trials", "sweep.metric", "sweep.name", "launch.ranks", "launch.launcher"]
    return [*flat(values), *of_sweeps]


@contextlib.contextmanager
def _told_of(arguments: Sequence[str]) -> Iterator[None]:
    """Let a traceback say which command line it was."""
    try:
        yield
    except BaryonError:
        raise
    except BaseException as error:
        error.add_note(f"baryon {' '.join(map(shlex.quote, arguments)):.500}")
        raise


KEYS = _keys()


def _cut_short() -> None:
    """Let nothing begin that takes long: it is the command line that is tried."""

    def build(config: Any, plugins: Any, label: str) -> None:
        del label
        with distributed_run(config, plugins) as comm:
            build_consistently(
                comm, config, plugins, lambda: build_components(config, plugins, comm)
            )

    training_run.start = build
    launch.follow = reproduce.follow = lambda *_: 0
    server.serve = lambda *_, **__: None
    local.LocalLauncher.run = lambda *_, **__: None


def said_by(arguments: Sequence[str]) -> None:
    """Run a command. Raises `BaryonError` with the line that it failed with.

    A usage is no failure. Raises `AssertionError` if it failed without a line or with several.
    """
    with _told_of(arguments), caught_errors() as said:
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        lines = [line for line in said().splitlines() if line.strip()]
    assert not any(line.startswith("Traceback") for line in lines), (arguments, lines[-9:])
    errors = [line for line in lines if line.startswith("baryon: error: ")]
    if code in (0, 2) and not errors:
        return
    assert len(errors) == 1, (arguments, code, lines[-9:])
    assert lines[-1] == errors[0], (arguments, code, lines[-9:])
    raise BaryonError(errors[0])


LIMITS = Limits(seconds=60, memory_mib=2048)
KINDS = [Kind("command lines", write_command_lines, read_command_line, LIMITS)]
