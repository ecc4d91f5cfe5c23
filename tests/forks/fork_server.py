"""Import once what commands import, and fork a process for each of them; see `forked_programs.py`.

python -P fork_server.py <number of a listening socket> <path of the client for Python>

It ends with its standard input. It only imports: threads of a calculation would not survive a fork.
Figures are not laid out, which takes seconds, unless a test of figures does so by itself.
"""

import atexit
import fcntl
import gc
import importlib
import io
import marshal
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import threading
import types
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

LIBRARIES = (
    "h5py", "hydra", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg",
    "matplotlib.figure", "numpy", "omegaconf", "rich.console", "rich.progress",
    "rich.table", "scipy.special", "torch", "torch.utils.flop_counter",
)  # fmt: skip
PACKAGES = ("baryon", "baryon_climate", "baryon_comm", "baryon_hep")
OWN_PATH = list(sys.path)
NUMBERS_OF_FILES = 1024
"""Files of a client have numbers below."""

Request = dict[str, Any]


def import_all(python: str) -> None:
    """Import all that commands do; their own Python processes are forks as well."""
    child_python = importlib.import_module("baryon.launch.child_python")
    real = child_python.child_python

    def forked(*arguments: str) -> list[str]:
        return [python, "-P", *arguments] if arguments[0] == "-m" else real(*arguments)

    child_python.child_python = forked
    for library in LIBRARIES:
        importlib.import_module(library)
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__") and "scaffold" not in module.name:
                importlib.import_module(module.name)


class Fork:
    """A process, and the connection to the client that stands for it."""

    def __init__(self, process: int, connection: socket.socket) -> None:
        self.process = process
        self.connection = connection
        self.end = os.pidfd_open(process)
        self.files = (self.end, connection.fileno())
        self.send(process)

    def send(self, number: int) -> None:
        with suppress(OSError):  # the client was killed
            self.connection.sendall(number.to_bytes(8, "little", signed=True))

    def kill(self) -> None:
        signal.pidfd_send_signal(self.end, signal.SIGKILL)

    def finish(self) -> None:
        """Tell the client how the process has ended."""
        self.send(os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1]))
        self.connection.close()
        os.close(self.end)


class Server:
    """Forks for each client that connects."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(0, selectors.EVENT_READ)
        self._selector.register(listener, selectors.EVENT_READ)
        self._forks: set[Fork] = set()

    def serve(self) -> Request:
        """Serve until the standard input ends, which ends all; return in each fork alone."""
        while True:
            for key, _ in self._selector.select():
                fork = key.data
                if key.fd == 0:
                    for fork in self._forks:
                        fork.kill()
                    os._exit(0)
                if fork is None:
                    request = self._fork()
                    if request is not None:
                        return request
                elif fork not in self._forks:  # it was finished a moment ago
                    continue
                elif key.fd == fork.end:
                    self._forget(fork)
                elif key.fd in self._selector.get_map():  # the client was killed: it says nothing
                    fork.kill()
                    self._selector.unregister(key.fd)

    def _fork(self) -> Request | None:
        connection, _ = self._listener.accept()
        request = receive(connection)
        process = os.fork()
        if process == 0:
            self._selector.close()
            for used in (self._listener, connection, *(fork.connection for fork in self._forks)):
                used.detach()  # its number is about to be another file's
            return request
        for number in request["received"]:
            os.close(number)
        fork = Fork(process, connection)
        self._forks.add(fork)
        for file in fork.files:
            self._selector.register(file, selectors.EVENT_READ, fork)
        return None

    def _forget(self, fork: Fork) -> None:
        self._forks.remove(fork)
        for file in fork.files:
            with suppress(KeyError):
                self._selector.unregister(file)
        fork.finish()


def receive(connection: socket.socket) -> Request:
    """Return what a client asks for; `received` are its files as numbered here."""
    size, files, _, _ = socket.recv_fds(connection, 8, 253)
    body = connection.recv(int.from_bytes(size, "little"), socket.MSG_WAITALL)
    return {**marshal.loads(body), "received": files}  # noqa: S302  only we connect


def become(request: Request) -> None:
    """Make this fork what a new process of the client would be."""
    os.setsid()
    take_files(dict(zip(request["received"], request["files"], strict=True)))
    os.umask(request["umask"])
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environb.update(request["environment"])
    os.chdir(request["folder"])
    sys.path[:] = [*filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)), *OWN_PATH]
    importlib.invalidate_caches()
    sys.modules["numpy"].random.seed()  # forks would have the same numbers
    open_standard_streams()
    signal.pthread_sigmask(signal.SIG_SETMASK, request["mask"])


def take_files(files: dict[int, int]) -> None:
    """Give the files their numbers, and close all others."""
    moved = {
        fcntl.fcntl(here, fcntl.F_DUPFD_CLOEXEC, NUMBERS_OF_FILES): number
        for here, number in files.items()
    }
    os.closerange(0, NUMBERS_OF_FILES)
    for here, number in moved.items():
        os.dup2(here, number)
        os.close(here)


def open_standard_streams() -> None:
    """Open them as Python does at its start."""
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    # Libraries may have kept the server's, which write to the same numbers: they must stay open.
    sys.streams_of_the_server = (sys.stdin, sys.stdout, sys.stderr)
    with suppress(OSError):
        sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
    for number, name, errors in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        try:
            raw = open(number, "wb", 0 if unbuffered else -1, closefd=False)  # noqa: SIM115
        except OSError:  # closed
            stream = None
        else:
            lines = number == 2 or raw.isatty()
            stream = io.TextIOWrapper(
                raw, errors=errors, line_buffering=lines, write_through=unbuffered
            )
            stream.mode = "w"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def run(kind: str, words: list[str], *, safe_path: bool) -> None:
    """Run a program as `python` does; `words` are its name or text, and its arguments.

    `safe_path`: its folder, or the working directory, is not searched for modules.
    """
    what = words[0]
    sys.argv = ["-c" if kind == "code" else what, *words[1:]]
    typed = {"file": [what], "module": ["-m", what], "code": ["-c", what]}[kind]
    sys.orig_argv = [sys.executable, *typed, *words[1:]]  # a run records how it was started
    if not safe_path:
        first = {"file": str(Path(what).resolve().parent), "module": str(Path.cwd()), "code": ""}
        sys.path.insert(0, first[kind])
    if kind == "module":
        sys.modules.pop(what, None)  # it is to run, not to be found
        runpy.run_module(what, run_name="__main__", alter_sys=True)
        return
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if kind == "file":
        main.__file__ = what
        code = compile(Path(what).read_bytes(), what, "exec")
    else:
        code = compile(what, "<string>", "exec")
    exec(code, main.__dict__)  # noqa: S102


def end_as(code: object) -> NoReturn:
    """End as Python does, but leave the memory to the kernel: to free each object takes long."""
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)  # noqa: T201
    threading._shutdown()  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit((code or 0) & 0xFF if isinstance(code, int | None) else 1)


if __name__ == "__main__":
    import_all(sys.argv[2])
    importlib.import_module("baryon.figures.saving")._LAYS_OUT.set(False)
    gc.collect()
    gc.freeze()  # else collections in a fork would copy the pages of all objects
    REQUEST = Server(socket.socket(fileno=int(sys.argv[1]))).serve()
    become(REQUEST)
    try:
        run(*REQUEST["program"], safe_path=REQUEST["safe_path"])
        CODE: object = 0
    except SystemExit as end:
        CODE = end.code
    end_as(CODE)
