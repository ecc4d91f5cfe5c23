"""Files that are no HDF5: named by their first bytes, with what to do."""

import gzip
import io
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
import torch

from baryon.data.file_kind import file_kind
from baryon.data.hdf5.table import open_file
from baryon.errors import BaryonError


def made_by(write) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def tar(buffer):
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("events.h5"), io.BytesIO())


def zipped(buffer):
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("events.h5", b"")


@pytest.mark.parametrize(
    ("content", "name", "advice"),
    [
        (b"root\x00\x00\xf4\x24", "a ROOT file", "uproot"),
        (b"PAR1\x15\x04", "a Parquet file", "pyarrow"),
        (b"ARROW1\x00\x00", "an Arrow file", "pyarrow"),
        (made_by(lambda file: np.save(file, np.ones(3))), "a NumPy array (npy)", "h5py"),
        (made_by(lambda file: np.savez(file, data=np.ones(3))), "a NumPy archive (npz)", "h5py"),
        (made_by(lambda file: torch.save(torch.ones(3), file)), "a PyTorch file", "HDF5"),
        (made_by(zipped), "a ZIP archive", "unpack"),
        (made_by(tar), "a tar archive", "unpack"),
        (gzip.compress(b"\x89HDF", mtime=0), "a gzip archive", "unpack"),
        (b"CDF\x01\x00\x00\x00\x00", "a classic NetCDF file", "nccopy"),
        (b"GRIB\x00\x00\x84\x02", "a GRIB file", "cdo"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer", "git lfs pull"),
        (b"\n<!DOCTYPE html>\n<html>", "a web page", "login"),
        (b"eta,phi,energy\n0.1,0.2,30\n", "a text file that begins with 'eta,phi,energy'", "h5py"),
        (b"", "an empty file", "again"),
    ],
)
def test_file_kind_names_other_formats(tmp_path, content, name, advice):
    path = tmp_path / "events.h5"
    path.write_bytes(content)
    with pytest.raises(BaryonError) as raised:
        open_file(path)
    assert str(raised.value).startswith(f"{path} is not HDF5 but {name}")
    assert advice in str(raised.value)
    assert "\n" not in str(raised.value)


def test_open_file_advises_to_fetch_damaged_file_again(tmp_path):
    path = tmp_path / "events.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.ones(1000)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BaryonError, match=r"cannot be read as HDF5 .*fetch or generate it again"):
        open_file(path)


def test_file_kind_of_unknown_bytes_is_none(tmp_path):
    (tmp_path / "x").write_bytes(bytes(range(200, 256)))
    assert file_kind(tmp_path / "x") is None
    with pytest.raises(BaryonError, match="cannot be read as HDF5"):
        open_file(tmp_path / "x")
