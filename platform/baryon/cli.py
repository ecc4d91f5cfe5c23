"""`baryon <verb> [overrides]`: find the verb, run it, make errors one line and an exit code."""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence

from baryon import __version__
from baryon.child_python import protect_children
from baryon.errors import TRACEBACK, BaryonError, one_of
from baryon.launched import end_siblings, launched, wait_for_turn
from baryon.reporting.console import printable
from baryon.termination import Terminated, unwinding

VERBS = {
    "train": "train a model, or sweep over many with -m",
    "resume": "go on with a run that was stopped",
    "evaluate": "evaluate a run again",
    "predict": "say what a run's model makes of new files, as files of the field",
    "export": "write a run's model as safetensors, torch.export or ONNX",
    "data": "make, check, show, repack data",
    "launch": "start a verb as several processes on this machine",
    "report": "one page of a run, of several, or of a sweep",
    "watch": "the report of a run, live in a browser",
    "reproduce": "make a run again and compare",
    "plugins": "list the installed plugins and their health, or write a new one",
    "show": "say what can be chosen, and what an option's keys mean",
    "completion": "print what completes words in bash or zsh",
}

TRAINING = (["train"], ["resume"])
"""Verbs that the signals of Slurm stop so that they go on later."""
HELP_FLAGS = ("-h", "--help")
HOME = re.compile(r"""(?<![^\[,:'" ])~[\w.-]*(?=/|$|[\]},'"])""")
"""At the start of a value, of an entry of a list or of a quoted text."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and return the process's exit code: 0, 1 for an error, 2 for wrong usage."""
    protect_children()
    given = list(sys.argv[1:] if arguments is None else arguments)
    return end_with_one_line(lambda: _dispatch(given), requeues=given[:1] in TRAINING)


def end_with_one_line(work: Callable[[], int], *, requeues: bool = False) -> int:
    """The exit code of `work`; what went wrong is said in one line.

    `requeues`: it trains, and goes on when it is started again: see `Terminated.end`.
    """
    try:
        with unwinding(requeues=requeues):
            code = work()
            sys.stdout.flush()
        return code
    except BaryonError as error:
        if os.environ.get(TRACEBACK):
            traceback.print_exc()
        wait_for_turn()
        _say_error(str(error))
        end_siblings()
        return 1
    except KeyboardInterrupt:
        print("baryon: interrupted", file=sys.stderr)  # noqa: T201
        return 130
    except Terminated as error:
        again = " as it began: start it again" if requeues else ""
        print(f"baryon: ended by {error}{again}", file=sys.stderr, flush=True)  # noqa: T201
        return error.end()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception:
        end_siblings()
        raise


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in HELP_FLAGS:
        print(_help())  # noqa: T201
        return 0 if arguments else 2
    verb, *rest = map(expand_home, arguments)
    if verb == "--version":
        print(f"baryon {__version__}")  # noqa: T201
        return 0
    if verb not in VERBS:
        _say_error(f"no verb {verb!r}; {one_of(VERBS, verb)}")
        return 2
    return int(importlib.import_module(f"baryon.verbs.{verb}").run(rest))


def expand_home(argument: str) -> str:
    """Replace `~` and `~user` where a path of the value of `key=value` begins with it.

    The shell does so only where a word begins, and Hydra's grammar takes no bare `~` in a value.
    """
    key, equals, value = argument.partition("=")
    return key + equals + HOME.sub(lambda home: os.path.expanduser(home[0]), value)  # noqa: PTH111


def _say_error(text: str) -> None:
    """In red on a terminal, unless NO_COLOR is set or mpiexec has made the terminal."""
    start = "baryon: error:"
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and launched().ranks == 1
    if coloured and os.environ.get("TERM") != "dumb":
        start = f"\x1b[31m{start}\x1b[0m"
    line = printable(text).replace("\n", " ")  # a text of somebody's file may hold line feeds
    print(f"{start} {line}", file=sys.stderr, flush=True)  # noqa: T201


def _help() -> str:
    lines = [f"  {verb:<12}{meaning}" for verb, meaning in VERBS.items()]
    return "\n".join(
        [
            "usage: baryon <verb> [key=value ...]",
            "",
            *lines,
            "",
            "`baryon <verb> --help` says more about each; for example:",
            "  baryon train experiment=hep_demo",
            "  baryon train dataset=hep_images model=hep_cnn train.learning_rate=3e-4",
        ]
    )
