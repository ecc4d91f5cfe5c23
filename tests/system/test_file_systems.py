from baryon.system import file_systems
from baryon.system.file_systems import announce_unlocked_reads, file_system
from baryon.terminal.console import console

MOUNTS = """\
overlay / overlay rw 0 0
server@o2ib:/scratch /scratch lustre rw 0 0
tmpfs /scratch/node tmpfs rw 0 0
nas:/home /my\\040home nfs4 rw 0 0
"""


def test_the_innermost_mount_counts(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    for path, kind in {
        "/scratch/data/a.h5": "lustre",
        "/scratch/node/a.h5": "tmpfs",
        "/scratchy/a.h5": "overlay",
        "/my home/a.h5": "nfs4",
    }.items():
        assert file_system(file_systems.Path(path), mounts) == kind
    assert file_system(tmp_path, tmp_path / "none") == ""


def test_reading_without_locks_is_said_once_for_a_network_file_system(tmp_path, monkeypatch):
    monkeypatch.setattr(file_systems, "file_system", lambda folder: "nfs4")
    with console().capture() as said:
        announce_unlocked_reads(tmp_path)
        announce_unlocked_reads(tmp_path)
    expected = f"{tmp_path} lies on nfs4: its HDF5 files are read without file locks\n"
    assert said.get() == expected
    monkeypatch.setattr(file_systems, "file_system", lambda folder: "ext4")
    with console().capture() as said:
        announce_unlocked_reads(tmp_path / "local")
    assert said.get() == ""
