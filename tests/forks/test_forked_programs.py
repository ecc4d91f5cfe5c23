"""A fork acts as the process that it stands for, or the real program runs."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fork_client import READ_AT_START

SHOW = """
import json, os, signal, sys
print(json.dumps({
    "arguments": sys.argv, "folder": os.getcwd(), "variable": os.environ.get("TEST_VARIABLE"),
    "variables": len(os.environ), "umask": os.umask(0), "main": __name__,
    "files": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
    "path": [entry for entry in sys.path if "forks" not in entry], "input": sys.stdin.read(),
    "buffered": not sys.stdout.line_buffering, "ignored": signal.getsignal(signal.SIGHUP) == 1,
}))
"""


FEW = {name: value for name, value in os.environ.items() if name.startswith(READ_AT_START)}


@pytest.fixture
def both(forked, tmp_path):
    """Run Python in a fork and as it is; give both ends after seeing that they are the same."""

    def run(*words: str, **options) -> subprocess.CompletedProcess[str]:
        settings = {"cwd": tmp_path, "capture_output": True, "text": True} | options
        fork, real = (
            subprocess.run([program, *words], check=False, **settings)
            for program in (forked.python, sys.executable)
        )
        assert (fork.returncode, fork.stdout) == (real.returncode, real.stdout)
        return fork

    return run


def test_a_fork_has_what_a_process_has(both, tmp_path):
    both("-c", SHOW, "a", "b c", input="text", env=os.environ | {"TEST_VARIABLE": "x"})
    both("-P", "-c", SHOW, stdin=subprocess.DEVNULL, umask=0o77, env=FEW)
    (tmp_path / "script.py").write_text(SHOW)
    reading, writing = os.pipe()
    both("script.py", "a", input="", pass_fds=[writing])
    os.close(reading)
    os.close(writing)
    done = both("-m", "baryon", "train", "--foo")  # which the server may have imported
    assert done.stderr.startswith("baryon: error: ")
    assert both("-m", "baryon.commands.table").stderr == ""
    path = os.environ | {"PYTHONPATH": str(tmp_path)}
    both("-m", "script", input="", cwd="/", env=path)


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit('why')", 1),
        ("1 / 0", 1),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import atexit; atexit.register(print, 'later'); print('now')", 0),
        ("import threading as t; t.Timer(0.1, print, ['later']).start()", 0),
    ],
)
def test_a_fork_ends_as_a_process_does(both, code, end):
    done = both("-c", code)
    assert done.returncode == end
    assert ("why" in done.stderr) == ("why" in code)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL])
def test_signals_reach_a_fork(forked, number):
    caught = "lambda *_: sys.exit(7)"
    code = f"import signal, sys, time; signal.signal(signal.SIGUSR1, {caught}); print(flush=True)"
    with subprocess.Popen(
        [forked.python, "-c", f"{code}; time.sleep(99)"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        process.stdout.readline()
        process.send_signal(number)
        assert process.wait(30) == (7 if number == signal.SIGUSR1 else -number)
        assert process.stdout.read() == b""  # which it would have open if it lived on


def test_a_real_process_runs_where_python_would_start_otherwise(forked):
    def parent(environment=os.environ, **options) -> int:
        command = [forked.python, "-c", "import os; print(os.getppid())"]
        return int(subprocess.check_output(command, env=environment, **options))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))

    assert parent() != os.getpid()
    assert parent(os.environ | {"PYTHONHASHSEED": "1"}) == os.getpid()
    assert parent(os.environ | {"OMP_NUM_THREADS": "7"}) == os.getpid()
    assert parent(preexec_fn=limit) == os.getpid()
    assert subprocess.check_output([forked.python, "-V"]).startswith(b"Python 3.")


def test_a_fork_does_not_outlive_its_client_nor_the_server(tmp_path):
    from forked_programs import ForkedPrograms

    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(99)"
    with ForkedPrograms() as programs:
        process = subprocess.Popen([programs.python, "-c", code], cwd=tmp_path)
        until = time.monotonic() + 60
        while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < until
            time.sleep(0.01)
    assert process.wait(30) != 0
    fork = Path("/proc") / (tmp_path / "pid").read_text()
    while fork.exists():
        assert time.monotonic() < until
        time.sleep(0.01)
