"""`baryon <verb> [overrides]`: find the verb, run it, make errors one line and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from baryon import __version__
from baryon.errors import BaryonError, one_of
from baryon.launched import end_siblings, wait_for_turn

VERBS = {
    "train": "train a model, or sweep over many with -m",
    "resume": "go on with a run that was stopped",
    "evaluate": "evaluate a run again",
    "data": "make, check, show, repack data",
    "launch": "start a verb as several processes on this machine",
    "report": "one page of a run, of several, or of a sweep",
    "watch": "the report of a run, live in a browser",
    "reproduce": "make a run again and compare",
    "plugins": "list the installed plugins, what they offer and their health",
}

HELP_FLAGS = ("-h", "--help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and return the process's exit code: 0, 1 for an error, 2 for wrong usage."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except BaryonError as error:
        wait_for_turn()
        print(f"baryon: error: {error}", file=sys.stderr, flush=True)  # noqa: T201
        end_siblings()
        return 1
    except KeyboardInterrupt:
        print("baryon: interrupted", file=sys.stderr)  # noqa: T201
        return 130
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
    verb, *rest = arguments
    if verb == "--version":
        print(f"baryon {__version__}")  # noqa: T201
        return 0
    if verb not in VERBS:
        print(f"baryon: error: no verb {verb!r}; {one_of(VERBS, verb)}", file=sys.stderr)  # noqa: T201
        return 2
    return int(importlib.import_module(f"baryon.verbs.{verb}").run(rest))


def _help() -> str:
    lines = [f"  {verb:<10}{meaning}" for verb, meaning in VERBS.items()]
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
