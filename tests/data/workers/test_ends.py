"""However a run ends, no process and no memory of it stays."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from living import alive, all_end
from process_splits import Faulty, Noise

from baryon.data.loader import Loader
from baryon.errors import BaryonError

SHARED = Path("/dev/shm")  # noqa: S108  where named memory would stay
# No guard of the main script: the processes do not run it again.
SCRIPT = """
import sys
import torch
sys.path.insert(0, {folder!r})
from process_splits import {kind}
from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon.data.workers.worker_group import WorkerGroup

readers = WorkerGroup(2)
loading = Loading(batch_size=4, window_mib=0.1, prefetch=1, seed=1, threads=1,
                  device=torch.device("cpu"), readers=readers)
count = 0
for batch in Loader({kind}({arguments}), loading).shuffled(0):
    count += 1
    if count == 3:
        print(*[process._process.pid for process in readers._processes], flush=True)
        sys.stdin.readline()
print(count)
"""


@pytest.fixture
def script():
    """Start the script; gives it and its reading processes when it has read some batches."""
    started = []

    def start(kind="Noise", arguments="90", prefix=()):
        text = SCRIPT.format(folder=str(Path(__file__).parent), kind=kind, arguments=arguments)
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(
            [*prefix, sys.executable, "-c", text], text=True, start_new_session=True, **pipes
        )
        started.append(process)
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        return process, [int(pid) for pid in line.split()]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def with_small_dev_shm():
    """Command before another one that gives it a /dev/shm of 64 KiB; none without namespaces."""
    apart = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*apart, "mount -t tmpfs tmpfs /dev/shm"], capture_output=True).returncode:
        return ()
    return (*apart, 'mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "$0" "$@"')


def test_the_end_of_a_script_ends_them_and_a_small_dev_shm_does_no_harm(script, with_small_dev_shm):
    process, pids = script(arguments="400", prefix=with_small_dev_shm)
    for pid in (process.pid, *pids):
        mapped = Path(f"/proc/{pid}/maps").read_text()
        assert "memfd:baryon-input" in mapped
        assert str(SHARED) not in mapped
    out, err = process.communicate("go on\n", timeout=30)
    assert (out, err, process.returncode) == ("100\n", "", 0)
    assert all_end(pids)


def test_a_killed_script_ends_them_while_they_work(script):
    process, pids = script("Faulty", "'slow', 80")
    time.sleep(0.5)  # one of them is in the row that takes a minute
    process.kill()
    assert all_end(pids)
    assert not list(SHARED.glob("*baryon*"))


def test_a_signal_to_the_whole_group_is_the_scripts_alone(script):
    process, pids = script()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert err.count("KeyboardInterrupt") == 1
    assert "reading process" not in err
    assert all_end(pids)


def test_they_do_not_mind_signals_that_stop_a_run(own_readers, loading):
    loader = Loader(Noise(), loading(readers=own_readers))
    batches = loader.shuffled(0)
    next(batches)
    for process in own_readers._processes:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            os.kill(process._process.pid, number)
    assert len(list(batches)) == 12


def test_a_killed_one_is_named(own_readers, loading):
    with pytest.raises(BaryonError) as caught:
        list(Loader(Faulty("killed"), loading(readers=own_readers)).shuffled(0))
    text = str(caught.value)
    assert text.startswith("reading process ")
    assert "was killed by SIGKILL, perhaps out of memory: give less data.processes" in text
    with pytest.raises(BaryonError, match="was killed by SIGKILL"):
        list(Loader(Noise(), loading(readers=own_readers)).shuffled(0))


def test_idle_ones_that_were_killed_are_named(own_readers, loading):
    batches = Loader(Noise(2000), loading(readers=own_readers, window_mib=0.05)).shuffled(0)
    next(batches)
    for process in own_readers._processes:
        process._process.kill()
    with pytest.raises(BaryonError, match=r"reading process [12] of 2 \(pid \d+\) was killed by"):
        list(batches)


def test_closing_ends_them_whatever_they_are_at(own_readers):
    own_readers.start()
    pids = [process._process.pid for process in own_readers._processes]
    own_readers.close()
    assert not any(map(alive, pids))
