"""Programs that act as `baryon` and `python` but are up in a hundredth of a second.

Most of a short command's time is the import of PyTorch and its like. A server imports them once and
forks a process for each command: with its own arguments, folder, environment, open files, signals
and exit code, in which `main` runs from its first line to its last.

What a fork cannot show stays a matter of real processes: what is imported and when, what the kernel
knows of a process (its parent, group, command and environment), and a stop (SIGSTOP), which stops
the client alone. A fork whose client is killed is killed by the server. Where Python would read
something else at its start, or limits differ, a client executes the real program by itself.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import fork_client

FOLDER = Path(__file__).parent
PYTHON = Path(sys.executable)
BARYON = PYTHON.parent / "baryon"
CLIENT = """\
#!{python} -IS
import sys
sys.path.insert(0, {folder!r})
from fork_client import main
main(server={server!r}, real={real!r}, start={start!r}, limits={limits!r})
"""


class ForkedPrograms:
    """Clients of a fork server in a folder of their own; the server ends with the tests.

    Attributes
    ----------
    baryon : acts as the command `baryon`
    python : acts as this Python for scripts, `-m` and `-c`; executes it for all else
    folder : where both are, to be put first on a PATH

    """

    def __init__(self) -> None:
        # Only we may connect; a socket's path has at most 108 bytes, fewer than a test's may have.
        self._place = tempfile.TemporaryDirectory(prefix="baryon-forks-")
        self.folder = Path(self._place.name)
        self.baryon, self.python = self.folder / "baryon", self.folder / "python"
        path = self.folder / "socket"
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)  # each fork has its own
        _write_client(self.baryon, path, [PYTHON, BARYON], environment)
        _write_client(self.python, path, [PYTHON], environment)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(64)
            self._server = subprocess.Popen(
                [PYTHON, "-P", FOLDER / "fork_server.py", str(listener.fileno()), self.python],
                env=environment,
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )

    def __enter__(self) -> "ForkedPrograms":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stdin.close()
        self._server.wait(60)
        self._place.cleanup()


def _write_client(
    path: Path, server: Path, real: list[Path], environment: Mapping[str, str]
) -> None:
    """Write the program that stands for the command `real`."""
    text = CLIENT.format(
        python=PYTHON,
        folder=str(FOLDER),
        server=str(server),
        real=[str(word) for word in real],
        start=fork_client.read_at_start(environment),
        limits=fork_client.current_limits(),
    )
    path.write_text(text)
    path.chmod(0o755)
