"""Find out which file system a file lies on."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from baryon.terminal.console import say

NETWORK = (
    "9p", "afs", "beegfs", "ceph", "cifs", "dvs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "nfs", "nfs4", "panfs", "smb3", "virtiofs", "wekafs",
)  # fmt: skip
"""Linux's names of the types of file systems that many machines share."""
MOUNTS = Path("/proc/self/mounts")


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the file system that holds a path; empty if the machine does not say."""
    if not mounts.is_file():
        return ""
    resolved, innermost, depth = path.resolve(), "", -1
    for line in mounts.read_text(encoding="utf-8").splitlines():
        _, mount_point, kind, *_ = line.split()
        point = Path(mount_point.replace("\\040", " "))  # the kernel escapes spaces
        if resolved.is_relative_to(point) and len(point.parts) >= depth:  # later ones lie on top
            innermost, depth = kind, len(point.parts)
    return innermost


@cache
def announce_unlocked_reads(folder: Path) -> None:
    """Print once for each folder on a network file system that its files are read unlocked."""
    kind = file_system(folder)
    if kind in NETWORK:
        say(f"{folder} lies on {kind}: its HDF5 files are read without file locks")
