"""Stand for a program whose process a fork server makes; see `forked_programs.py`.

It runs under `python -I -S` and imports next to nothing: it is up in a hundredth of a second.
"""

import marshal
import os
import resource
import signal
import socket
import sys
from collections.abc import Mapping, Sequence

READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "OMP_NUM_THREADS")
"""What Python and its libraries read in the environment when they start, by how it begins."""
SET_IN_FORK = ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONUNBUFFERED")
RELAYED = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2,
)  # fmt: skip

Limits = Mapping[str, tuple[int, int]]


def main(server: str, real: list[str], start: Mapping[str, str], limits: Limits) -> None:
    """Run a program in a fork, or as it is where a fork would differ from it.

    `real` is the command of the program, of which `python` has one word. `start` and `limits` are
    what the Python of the server read in the environment, and its resource limits.
    """
    words = sys.argv[1:]
    safe = len(real) == 1 and words[:1] == ["-P"]
    program = ("file", [real[1], *words]) if len(real) > 1 else program_of(words[safe:])
    if program is None or read_at_start(os.environ) != start or current_limits() != limits:
        os.execv(real[0], [*real, *words])  # noqa: S606
    ignored = [number for number in RELAYED if signal.getsignal(number) == signal.SIG_IGN]
    # Until the fork is known to which they are relayed.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, RELAYED)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(server)
    files = open_files()
    request = {
        "program": program,
        "safe_path": safe or bool(os.environ.get("PYTHONSAFEPATH")),
        "files": files,
        "folder": os.getcwd(),  # noqa: PTH109
        "environment": dict(os.environb),
        "umask": current_umask(),
        "ignored": [int(number) for number in ignored],
        "mask": [int(number) for number in mask],
    }
    body = marshal.dumps(request)
    socket.send_fds(connection, [len(body).to_bytes(8, "little")], files)
    connection.sendall(body)
    process = received_number(connection)
    for number in set(RELAYED) - set(ignored):
        signal.signal(number, lambda number, _: os.kill(process, number))
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    end_as(received_number(connection))


def program_of(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return what `python <words>` runs: whether a file, a module or code, and its `sys.argv`.

    None if it has options that a fork does not know.
    """
    if not words:
        return None
    kind = {"-m": "module", "-c": "code"}.get(words[0])
    if kind is not None:
        return (kind, [*words[1:]]) if len(words) > 1 else None
    return None if words[0].startswith("-") else ("file", [*words])


def read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a Python that starts reads in the environment, but for what a fork sets."""
    unread = set(SET_IN_FORK)
    if "OMPI_COMM_WORLD_RANK" in environment:
        unread.add("LD_LIBRARY_PATH")  # leads to Open MPI's libraries, which find one another
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(READ_AT_START) and name not in unread
    }


def current_limits() -> Limits:
    names = (name for name in dir(resource) if name.startswith("RLIMIT_"))
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}


def current_umask() -> int:
    umask = os.umask(0o22)
    os.umask(umask)
    return umask


def open_files() -> list[int]:
    """Return the numbers of the files that this process was given."""
    numbers = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            if os.get_inheritable(int(name)):
                numbers.append(int(name))
        except OSError:  # the one by which the folder was listed
            continue
    return numbers


def received_number(connection: socket.socket) -> int:
    """Return the next number that the server sends."""
    answer = connection.recv(8, socket.MSG_WAITALL)
    if len(answer) < 8:
        sys.exit("the fork server of the tests has ended")
    return int.from_bytes(answer, "little", signed=True)


def end_as(code: int) -> None:
    """End as the fork did: with its exit code, or by the signal `-code`."""
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, most))
        os.kill(os.getpid(), -code)
    os._exit(code)
