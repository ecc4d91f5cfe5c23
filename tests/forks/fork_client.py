"""Stand for a program whose process a fork server makes; see `forked_programs.py`.

`forked_programs.py` makes a program of this text and of values for the names that have none here. It
runs under `python -I -S` and imports next to nothing, so that it is up in a hundredth of a second.
"""

import marshal
import os
import resource
import signal
import socket
import sys
from collections.abc import Mapping

SERVER: str
"""Socket of the fork server."""
REAL: list[str]
"""The program that this one stands for, as a command."""
START: dict[str, str]
"""What the server's Python had read in the environment when it started."""
LIMITS: dict[str, tuple[int, int]]
"""The server's resource limits."""

READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "OMP_NUM_THREADS")
SET_IN_FORK = ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONUNBUFFERED")
PASSED_ON = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


def main() -> None:
    """Run the program in a fork, or as it is where a fork would differ from it."""
    words = program(sys.argv[1:])
    if words is None or read_at_start(os.environ) != START or limits() != LIMITS:
        os.execv(REAL[0], [*REAL, *sys.argv[1:]])
    ignored = [n for n in PASSED_ON if signal.getsignal(n) == signal.SIG_IGN]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(SERVER)
    files = [number for number in map(int, os.listdir("/proc/self/fd")) if is_inherited(number)]
    request = {
        "program": words,
        "files": files,
        "folder": os.getcwd(),
        "environment": dict(os.environb),
        "umask": current_umask(),
        "ignored": [int(number) for number in ignored],
        "mask": [int(number) for number in mask],
    }
    body = marshal.dumps(request)
    socket.send_fds(connection, [len(body).to_bytes(8, "little")], files)
    connection.sendall(body)
    process = number_from(connection)
    for number in set(PASSED_ON) - set(ignored):
        signal.signal(number, lambda number, _: os.kill(process, number))
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    end_as(number_from(connection))


def program(words: list[str]) -> tuple[str, list[str]] | None:
    """Return how the words say what to run: as a file, a module or code, and its `sys.argv`.

    None if the fork cannot run it so.
    """
    if len(REAL) > 1:  # a script
        return "file", [REAL[-1], *words]
    if words[:1] == ["-P"]:
        os.environ["PYTHONSAFEPATH"] = "1"
        words = words[1:]
    kinds = {"-m": "module", "-c": "code"}
    if words[:1] and words[0] in kinds and len(words) > 1:
        return kinds[words[0]], words[1:]
    return ("file", words) if words and not words[0].startswith("-") else None


def read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a Python reads in the environment when it starts."""
    unread = set(SET_IN_FORK)
    if "OMPI_COMM_WORLD_RANK" in environment:
        unread.add("LD_LIBRARY_PATH")  # leads to Open MPI's own libraries, which find one another
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(READ_AT_START) and name not in unread
    }


def limits() -> dict[str, tuple[int, int]]:
    """Return the resource limits of this process."""
    names = (name for name in dir(resource) if name.startswith("RLIMIT_"))
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}


def is_inherited(number: int) -> bool:
    """Return whether this process was given an open file of this number."""
    try:
        return os.get_inheritable(number)
    except OSError:  # the one by which the folder was listed
        return False


def current_umask() -> int:
    umask = os.umask(0o22)
    os.umask(umask)
    return umask


def number_from(connection: socket.socket) -> int:
    """Return the next number that the server sends."""
    answer = connection.recv(8, socket.MSG_WAITALL)
    if len(answer) < 8:
        sys.exit("the fork server of the tests has ended")
    return int.from_bytes(answer, "little", signed=True)


def end_as(code: int) -> None:
    """End as the fork did; `code` is negative for a signal."""
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, LIMITS["RLIMIT_CORE"][1]))
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
