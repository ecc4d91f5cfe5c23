"""On one machine no rank listens where another machine could reach it."""

import re
from pathlib import Path

import pytest

LISTENING = "0A"
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
"""127.0.0.1 and ::1 as /proc/net/tcp and /proc/net/tcp6 write them."""

pytestmark = pytest.mark.mpi


def listening_addresses(pid: int) -> list[str]:
    """The addresses, in the kernel's hexadecimal form, on which a process accepts connections."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        match = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
        sockets.update(match.groups() if match else ())
    rows = [
        row.split()
        for table in ("tcp", "tcp6")
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1].split(":")[0] for row in rows if row[3] == LISTENING and row[9] in sockets]


def test_ranks_on_one_machine_listen_on_the_loopback_interface_alone(begin):
    # No forks: it is the processes that mpiexec started which are looked at.
    arguments = ("comm=sync", "comm.transport=torch", "train.steps=100000")
    job = begin(2, *arguments, forks=False)
    job.wait_for(2)
    ranks = [listening_addresses(job.process_of(rank)) for rank in (0, 1)]
    assert ranks[0], "gloo's store and its sockets listen somewhere"
    assert {address for addresses in ranks for address in addresses} <= LOOPBACK
