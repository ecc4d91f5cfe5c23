"""`srun baryon train ...` under a real Slurm of one node, with Debian's packages where they are."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

DAEMONS = ("munged", "slurmctld", "slurmd")
FOLDERS = ("/usr/sbin", "/usr/local/sbin")
BARYON = Path(sys.executable).parent / "baryon"


def found(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join([os.environ["PATH"], *FOLDERS]))


pytestmark = [
    pytest.mark.mpi,
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(found, (*DAEMONS, "srun"))) or os.geteuid() != 0,
        reason="needs Slurm's programs and root: apt-get install slurm-wlm munge libpmix-dev",
    ),
]

CONFIG = """\
ClusterName=test
SlurmctldHost={host}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={port}
SlurmdPort={next_port}
MpiDefault=pmix
NodeName={host} CPUs=8 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES State=UP
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A controller and a daemon of our own; gives what `srun` needs in its environment."""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    config = folder / "slurm.conf"
    settings = {"host": socket.gethostname(), "folder": folder, "port": port, "next_port": port + 1}
    config.write_text(CONFIG.format(**settings))
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    munge = [found("munged"), "--foreground", "--force", f"--key-file={key}"]
    munge += [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("socket", "pid-file")]
    munge += [f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed"]
    environment = os.environ | {"SLURM_CONF": str(config)}
    started = [
        subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        for command in (munge, [found("slurmctld"), "-D"], [found("slurmd"), "-D"])
    ]
    try:
        wait_until_it_works(environment)
        yield environment
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(20)


def wait_until_it_works(environment) -> None:
    until = time.monotonic() + 40
    while True:
        done = subprocess.run(
            ["srun", "-n", "2", "true"], env=environment, capture_output=True, text=True
        )
        if done.returncode == 0:
            return
        if "can not load PMIx" in done.stderr:
            pytest.skip("Slurm has no PMIx here: apt-get install libpmix-dev")
        assert time.monotonic() < until, done.stderr
        time.sleep(1)


def srun(slurm, environment, folder, ranks: int, *arguments: str):
    return subprocess.run(
        ["srun", "-n", str(ranks), str(BARYON), "train", *arguments],
        env=environment | {"SLURM_CONF": slurm["SLURM_CONF"]},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_srun_starts_a_hybrid_training(slurm, environment, tmp_path, hep_files):
    arguments = (*hep_files, "comm=hybrid", "comm.groups=2", "train.steps=6")
    done = srun(slurm, environment, tmp_path, 3, *arguments)
    assert done.returncode == 0, done.stderr
    assert "worker of group 1" in done.stdout
    assert (tmp_path / "runs" / "latest" / "metrics.json").is_file()


def test_an_error_is_said_once_under_srun(slurm, environment, tmp_path, hep_files):
    done = srun(slurm, environment, tmp_path, 2, *hep_files, "comm=hybrid")
    assert done.returncode
    assert done.stderr.count("baryon: error") == 1, done.stderr
    assert "does not fit 2 processes" in done.stderr
