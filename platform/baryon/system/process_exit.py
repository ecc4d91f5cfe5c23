"""Run a command so that errors become one line and every end has its exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable

from baryon.errors import TRACEBACK, BaryonError
from baryon.launch.environment import cluster_environment
from baryon.launch.failure import claim_error_line, end_siblings
from baryon.system.signals import Terminated, raise_on_termination
from baryon.terminal.console import printable
from baryon.terminal.handler import show_messages


def end_with_one_line(work: Callable[[], int], *, requeues: bool = False) -> int:
    """Run `work` and return the exit code; print messages, and an error as one line.

    `requeues`: the work trains, and continues when it is started again; see `Terminated.end`.
    """
    show_messages()
    try:
        with raise_on_termination(requeues=requeues):
            code = work()
            sys.stdout.flush()
        return code
    except BaryonError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("baryon: interrupted", file=sys.stderr)  # noqa: T201
        return 130
    except Terminated as error:
        again = " before the training began: start it again" if requeues else ""
        print(f"baryon: ended by {error}{again}", file=sys.stderr, flush=True)  # noqa: T201
        return error.end()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        # Any key of any command may hold such a name, and whatever looks at it raises this.
        if error.errno == errno.ENAMETOOLONG:
            return _fail(f"{error.filename!s:.80}... is longer than a file name may be")
        end_siblings()
        raise
    except Exception:
        end_siblings()
        raise


def _fail(line: str) -> int:
    """Print an error and end the other ranks; return the exit code. Called in its `except`."""
    if os.environ.get(TRACEBACK):
        traceback.print_exc()
    if claim_error_line():  # not if another rank of this host is printing it, or the same
        print_error(line)
        end_siblings()
    return 1


def print_error(text: str) -> None:
    """Print an error as one line on stderr, in red on a terminal.

    Not in red if NO_COLOR is set, or if the terminal is one that mpiexec has made.
    """
    start = "baryon: error:"
    coloured = (
        sys.stderr.isatty() and not os.environ.get("NO_COLOR") and cluster_environment().ranks == 1
    )
    if coloured and os.environ.get("TERM") != "dumb":
        start = f"\x1b[31m{start}\x1b[0m"
    line = printable(text).replace("\n", " ")  # a text from a user's file may hold line feeds
    print(f"{start} {line}", file=sys.stderr, flush=True)  # noqa: T201
