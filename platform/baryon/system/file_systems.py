"""Which file system a file lies on."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from baryon.terminal.console import say

NETWORK = (
    "9p", "afs", "beegfs", "ceph", "cifs", "dvs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "nfs", "nfs4", "panfs", "smb3", "virtiofs", "wekafs",
)  # fmt: skip
"""Types, as Linux names them, of file systems that many machines share."""
MOUNTS = Path("/proc/self/mounts")


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that holds a path; empty where the machine does not tell."""
    if not mounts.is_file():
        return ""
    here, found, longest = path.resolve(), "", -1
    for line in mounts.read_text(encoding="utf-8").splitlines():
        _, where, kind, *_ = line.split()
        point = Path(where.replace("\\040", " "))
        if here.is_relative_to(point) and len(point.parts) >= longest:  # later ones lie on top
            found, longest = kind, len(point.parts)
    return found


@cache
def tell_of_locks(folder: Path) -> None:
    """Say once of each folder on a network file system that its files are opened unlocked."""
    kind = file_system(folder)
    if kind in NETWORK:
        say(f"{folder} lies on {kind}: its HDF5 files are read without file locks")
