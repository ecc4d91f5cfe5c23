"""How something ends that reads a damaged file: in a forked child, within limits.

The process that calls `outcome_of` imports what is to be tried before, so that a child costs a
fork and no imports.
"""

import faulthandler
import os
import pickle
import resource
import select
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mutants import mutants

from baryon.errors import BaryonError

RIGHT = "right result"
"""It ended as with the undamaged file, and returned the same."""
OTHER = "other result"
"""It ended well and returned something else: damage to values that no checksum guards."""
ONE_LINE = "one line"
"""It raised `BaryonError` with one line."""
TRACEBACK, HANG, CRASH, MEMORY = "traceback", "hang", "crash", "memory"
GOOD = (RIGHT, OTHER, ONE_LINE)
BAD = (TRACEBACK, HANG, CRASH, MEMORY)


@dataclass(frozen=True)
class Limits:
    """What a child may take before it is ended."""

    seconds: float = 60.0
    memory_mib: int = 1024
    """Address space beyond what the process has when the child is forked."""


@dataclass(frozen=True)
class Outcome:
    """How one child ended."""

    how: str
    """One of `GOOD` or `BAD`."""
    detail: str = ""
    """The line or the last lines of the traceback, for people."""
    value: Any = None
    """What the callable returned."""


@dataclass(frozen=True)
class Kind:
    """A kind of input that others hand over, and what reads it.

    `make` writes a small valid input into an empty folder and returns the files of it that are to
    be damaged. `read` reads it from its folder as the product would, and returns something small
    that can be pickled and compared (a digest), or None where only the end matters. It must raise
    `BaryonError` for what it refuses; `by_command` does so for a command line.
    """

    name: str
    make: Callable[[Path], Sequence[Path]]
    read: Callable[[Path], Any]
    limits: Limits = Limits()


def damaged_outcomes(kind: Kind, count: int, seed: int) -> Iterator[tuple[str, Outcome]]:
    """Yield what was done to the input and how reading it ended, for `count` mutants.

    Raises `AssertionError` if the undamaged input cannot be read.
    """
    with TemporaryDirectory(prefix="mutants-") as scratch:
        sound = Path(scratch) / "sound"
        sound.mkdir()
        targets = [path.relative_to(sound) for path in kind.make(sound)]
        expected = _outcome_in(sound, kind, Path(scratch) / "work", None)
        assert expected.how in (RIGHT, OTHER), f"{kind.name}, undamaged: {expected}"
        shares = [len(range(number, count, len(targets))) for number in range(len(targets))]
        for target, share in zip(targets, shares, strict=True):
            for description, damaged in mutants((sound / target).read_bytes(), share, seed):
                outcome = _outcome_in(sound, kind, Path(scratch) / "work", (target, damaged))
                if outcome.how == RIGHT and outcome.value != expected.value:
                    outcome = Outcome(OTHER, value=outcome.value)
                yield f"{target}: {description}", outcome


def _outcome_in(sound: Path, kind: Kind, work: Path, damage: tuple[Path, bytes] | None) -> Outcome:
    """Read a copy of the input with one file replaced; what the child wrote goes with the copy."""
    shutil.copytree(sound, work)
    try:
        if damage is not None:
            (work / damage[0]).write_bytes(damage[1])
        return outcome_of(lambda: kind.read(work), kind.limits)
    finally:
        shutil.rmtree(work)


def outcome_of(call: Callable[[], Any], limits: Limits = Limits()) -> Outcome:
    """Run a callable in a forked child with a cache folder of its own, and say how it ended."""
    with TemporaryDirectory(prefix="child-") as scratch:
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # fork beside idle threads
            pid = os.fork()
        if pid == 0:
            os.close(reading)
            _be_child(call, limits, Path(scratch), writing)
        os.close(writing)
        report = _received(reading, limits.seconds)
        if report is None:
            os.killpg(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        _end_group(pid)
        if report is None:
            return Outcome(HANG, f"not done after {limits.seconds:g} s")
        if report:
            return Outcome(*pickle.loads(report))  # noqa: S301  our own child's
        said = (Path(scratch) / "err").read_text(errors="replace").strip()[:500]
        return Outcome(CRASH, f"{_ended(status)}: {said}")


def _be_child(call: Callable[[], Any], limits: Limits, scratch: Path, report: int) -> None:
    """Never returns."""
    try:
        os.setsid()
        os.environ["XDG_CACHE_HOME"] = str(scratch / "cache")
        for stream, name in ((0, os.devnull), (1, scratch / "out"), (2, scratch / "err")):
            os.dup2(os.open(name, os.O_RDONLY if stream == 0 else os.O_CREAT | os.O_WRONLY), stream)
        sys.stdout, sys.stderr = (os.fdopen(n, "w", closefd=False) for n in (1, 2))
        faulthandler.enable(sys.stderr)
        warnings.simplefilter("ignore")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        most = _address_space() + limits.memory_mib * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        outcome = _outcome_here(call)
        with os.fdopen(report, "wb") as file:
            pickle.dump((outcome.how, outcome.detail, outcome.value), file)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)


def _outcome_here(call: Callable[[], Any]) -> Outcome:
    try:
        return Outcome(RIGHT, value=call())
    except BaryonError as error:
        line = str(error)
        several = not line or len(line.splitlines()) > 1
        return Outcome(TRACEBACK, f"no single line: {line}") if several else Outcome(ONE_LINE, line)
    except MemoryError:
        return Outcome(MEMORY, _last_lines())
    except BaseException:  # noqa: BLE001  whatever it is, it is to be seen
        return Outcome(TRACEBACK, _last_lines())


def _last_lines() -> str:
    return "".join(traceback.format_exc().splitlines(keepends=True)[-9:]).strip()


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _received(reading: int, seconds: float) -> bytes | None:
    """All that the child sent before it closed its end; None if it did not within the time."""
    received, until = b"", time.monotonic() + seconds
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
            piece = pipe.read(2**16)
            if not piece:
                return received
            received += piece
    return None


def _end_group(pid: int) -> None:
    """End what the child left running."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def by_command(*arguments: str) -> None:
    """Run `baryon <arguments>` in this process.

    Raises `BaryonError` with the line that the command said if it failed with one line, and
    `AssertionError` with all it said if it failed otherwise.
    """
    from baryon.cli import main

    with caught_errors() as said:
        code = main(arguments)
        lines = [line for line in said().splitlines() if line.strip()]
    if code == 0:
        return
    errors = [line for line in lines if line.startswith("baryon: ")]
    assert len(errors) == 1, f"exit code {code}: {lines[-9:]}"
    assert lines[-1] == errors[0], f"exit code {code}: {lines[-9:]}"
    raise BaryonError(errors[0])


@contextmanager
def caught_errors() -> Iterator[Callable[[], str]]:
    """Catch what is written to the error stream, by this process or by those that it starts."""
    with TemporaryDirectory(prefix="stderr-") as folder:
        path, before = Path(folder) / "stderr", os.dup(2)
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
        sys.stderr.flush()
        os.dup2(descriptor, 2)
        try:
            yield lambda: (sys.stderr.flush(), path.read_text(errors="replace"))[1]
        finally:
            os.dup2(before, 2)
            os.close(before)
            os.close(descriptor)
