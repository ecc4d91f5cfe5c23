"""A process of its own looks at a file first: what ends it is one line here, and kept."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from baryon.data.hdf5 import inspection, inspection_process
from baryon.data.hdf5.table import open_file
from baryon.errors import BaryonError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(inspection, "_results", {})


@pytest.fixture
def life(monkeypatch):
    """Have the process do what the test says at each file."""
    running = inspection._process
    monkeypatch.setattr(inspection, "_process", None)

    def does(code: str) -> None:
        looks = f"import os, signal, sys, time\nfor line in sys.stdin:\n    {code}"
        monkeypatch.setattr(inspection, "PROGRAM", looks)

    yield does
    if inspection._process not in (None, running):
        inspection._stop(inspection._process)


def write(path: Path, value: float = 1.0) -> Path:
    with h5py.File(path, "w") as file:
        file["x"] = np.full(10, value)
    return path


def asked(life, path: Path, code: str) -> str:
    life(code)
    with pytest.raises(BaryonError) as raised:
        open_file(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "by SIGSEGV"),
        ("os.abort()", "by SIGABRT"),
        ("time.sleep(100)", "not done after 0.2 s"),
    ],
)
def test_inspect_reports_crash_in_one_line(life, tmp_path, monkeypatch, code, how):
    path = write(tmp_path / "a.h5")
    if "sleep" in code:
        monkeypatch.setattr(inspection, "MOST_SECONDS", 0.2)
    message = asked(life, path, code)
    assert message.startswith(f"{path} is damaged: the HDF5 library does not survive it")
    assert f"ended: {how})" in message


@pytest.mark.parametrize(
    ("code", "reason"),
    [("sys.exit(3)", "exit code 3"), ("import no_such_library", "ModuleNotFoundError: No module")],
)
def test_inspect_does_not_blame_file_where_process_fails(life, tmp_path, code, reason):
    path = write(tmp_path / "a.h5")
    message = asked(life, path, code)
    assert message.startswith(f"{path} cannot be inspected: the process that inspects HDF5 files")
    assert f"failed ({reason}" in message


def test_inspect_beside_script_with_modules_named_like_standard_library(tmp_path):
    path = write(tmp_path / "a.h5")
    for name in ("enum", "signal", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported the user\\'s own')\n")
    (tmp_path / "script.py").write_text(
        "import sys; here = sys.path.pop(0)\n"
        "from baryon.data.hdf5.inspection import inspect\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, here)  # as it is where these modules are imported already\n"
        f"print(inspect(Path({str(path)!r})))\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "{}\n", done.stderr


def test_inspect_restarts_process_after_crash(life, tmp_path, monkeypatch):
    asked(life, write(tmp_path / "a.h5"), "os.abort()")
    monkeypatch.setattr(
        inspection, "PROGRAM", inspection.PROGRAM.replace("os.abort()", "print('{}', flush=True)")
    )
    with open_file(write(tmp_path / "b.h5")) as file:
        assert list(file) == ["x"]


def test_inspect_caches_unchanged_file(life, tmp_path, monkeypatch):
    path = write(tmp_path / "a.h5")
    life("print('{}', flush=True)")
    open_file(path).close()
    monkeypatch.setattr(inspection, "_results", {})  # as in the next command
    inspection._stop(inspection._process)
    monkeypatch.setattr(inspection, "_process", None)
    life("os.abort()")
    open_file(path).close()
    for kept in (tmp_path / "cache" / "baryon" / "hdf5-inspection").iterdir():
        kept.write_text("[]")  # emptied by whatever it was
    monkeypatch.setattr(inspection, "_results", {})
    with pytest.raises(BaryonError, match="is damaged"):
        open_file(path)


def test_inspect_repeats_for_changed_file(life, tmp_path):
    path = write(tmp_path / "a.h5")
    life("print('{}', flush=True)")
    open_file(path).close()
    inspection._stop(inspection._process)
    life("os.abort()")
    os.utime(path, ns=(1, 1))
    with pytest.raises(BaryonError, match="is damaged"):
        open_file(path)


def test_inspection_process_serves_many_files_and_ignores_signals(tmp_path):
    paths = [write(tmp_path / f"{number}.h5") for number in range(3)]
    code = "from baryon.data.hdf5.inspection_process import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    for path in paths:
        process.stdin.write(json.dumps(str(path)) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "{}\n"
        process.send_signal(signal.SIGUSR1)
    process.communicate()
    assert process.returncode == 0


def test_inspection_process_imports_nothing_heavy():
    code = (
        "import sys, baryon.data.hdf5.inspection_process; "
        "print([m for m in ('torch', 'mpi4py', 'hydra', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture
def cpu_limit():
    """Restore this process's limit of processor time, which `look` lowers for its own process."""
    limit = resource.getrlimit(resource.RLIMIT_CPU)
    yield
    resource.setrlimit(resource.RLIMIT_CPU, limit)


@pytest.mark.usefixtures("cpu_limit")
def test_inspection_process_visits_everything_a_reader_may_touch(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        inner = file.create_group("one/two")
        inner["again"] = file["one"]  # a circle of hard links
        short = inner.create_dataset("short", (8, 4), "f4", chunks=(8, 4))
        short.id.write_direct_chunk((0, 0), b"1234")
        inner.create_dataset("raw", (8,), "f4", external=[("/etc/passwd", 0, 32)])
        inner["away"] = h5py.ExternalLink("gone.h5", "/x")
        inner.attrs["text"] = ["a", "bc"]
    found = inspection_process.look(str(tmp_path / "a.h5"))
    assert sorted(name.rpartition("/")[2] for name in found) == ["raw", "short"]
