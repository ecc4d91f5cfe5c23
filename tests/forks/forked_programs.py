"""Programs that act as `baryon` and `python` but take a hundredth of their time to start.

Most of a short command's time is the import of PyTorch and its like. A server imports them once and forks a
process for each command: with its own arguments, folder, environment, open files and exit code, in which
`main` runs from its first line to its last. What a fork cannot show stays a matter of real processes: what is
imported and when, what the kernel knows of a process (parents, group, `/proc`), what Python reads at its start.
"""

import os
import re
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


class ForkedPrograms:
    """Clients of a fork server in a folder of their own; the server ends with the tests.

    Attributes
    ----------
    baryon : acts as the command `baryon`
    python : acts as this Python, for scripts, `-m` and `-c`; executes it otherwise
    folder : where both are, to be put first on a PATH

    """

    def __init__(self) -> None:
        # Only we may connect; a socket's path has at most 108 bytes, fewer than a test's may have.
        self._place = tempfile.TemporaryDirectory(prefix="baryon-forks-")
        self.folder = Path(self._place.name)
        self.baryon, self.python = self.folder / "baryon", self.folder / "python"
        path = str(self.folder / "socket")
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        write_client(self.baryon, path, [PYTHON, BARYON], environment)
        write_client(self.python, path, [PYTHON], environment)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
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
        self._server.wait(10)
        self._place.cleanup()


def write_client(
    path: Path, server: str, real: list[Path], environment: Mapping[str, str]
) -> None:
    """Write the program that stands for the command `real`."""
    values = {
        "SERVER": server,
        "REAL": [str(word) for word in real],
        "START": fork_client.read_at_start(environment),
        "LIMITS": fork_client.limits(),
    }
    text = Path(fork_client.__file__).read_text()
    for name, value in values.items():
        text = re.sub(rf"^{name}: .*$", lambda line, value=value: f"{line[0]} = {value!r}", text, flags=re.M)
    path.write_text(f"#!{PYTHON} -IS\n{text}")
    path.chmod(0o755)
