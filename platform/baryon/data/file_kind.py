"""Recognise files of other formats by their first bytes, and advise what to do with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HEAD = 512
"""Bytes that are read."""
HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP, ZIP_NAME = b"PK\x03\x04", 30
"""Start of a ZIP archive, and where the name of its first entry begins (APPNOTE.TXT, 4.3.7)."""
TAR, TAR_AT = b"ustar", 257
PRINTABLE = {*range(0x20, 0x7F), *b"\t\r\n"}


@dataclass(frozen=True, slots=True)
class FileKind:
    """A file format: its name with the article, and advice for the owner of such a file."""

    name: str
    advice: str


UNPACK = "unpack it first"
CONVERT = "convert it to HDF5, with h5py for instance"
KINDS = {
    b"root": FileKind("a ROOT file", "convert it to HDF5, with uproot and h5py for instance"),
    b"PAR1": FileKind("a Parquet file", "convert it to HDF5, with pyarrow and h5py for instance"),
    b"ARROW1": FileKind("an Arrow file", "convert it to HDF5, with pyarrow and h5py for instance"),
    b"FEA1": FileKind("a Feather file", "convert it to HDF5, with pyarrow and h5py for instance"),
    b"\x93NUMPY": FileKind("a NumPy array (npy)", CONVERT),
    b"SIMPLE  =": FileKind("a FITS file", "convert it to HDF5, with astropy and h5py for instance"),
    b"MATLAB 5.0": FileKind("a MATLAB file before 7.3", "save it with -v7.3, which is HDF5"),
    b"\x0e\x03\x13\x01": FileKind("an HDF4 file", "convert it with h4toh5"),
    b"CDF\x01": FileKind("a classic NetCDF file", "convert it with `nccopy -k nc4`"),
    b"CDF\x02": FileKind("a classic NetCDF file", "convert it with `nccopy -k nc4`"),
    b"CDF\x05": FileKind("a classic NetCDF file (CDF-5)", "convert it with `nccopy -k nc4`"),
    b"GRIB": FileKind("a GRIB file", "convert it with `cdo -f nc4 copy`, or with cfgrib"),
    b"\x1f\x8b": FileKind("a gzip archive", UNPACK),
    b"BZh": FileKind("a bzip2 archive", UNPACK),
    b"\xfd7zXZ\x00": FileKind("an xz archive", UNPACK),
    b"\x28\xb5\x2f\xfd": FileKind("a Zstandard archive", UNPACK),
    b"version https://git-lfs": FileKind("a Git LFS pointer, not the data", "run `git lfs pull`"),
}
"""Formats by the first bytes of a file."""
WEB_PAGES = (b"<!doctype html", b"<html")
ZIP_KINDS = {
    ".npy": FileKind("a NumPy archive (npz)", CONVERT),
    "/data.pkl": FileKind("a PyTorch file", "save its tensors as HDF5"),
}
"""Formats that are ZIP archives, by the end of the name of the first entry."""


def file_kind(path: Path) -> FileKind | None:
    """Return the format of a file, or None if it is HDF5 or its first bytes say nothing.

    Raises
    ------
    OSError
        If the file cannot be read.

    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return FileKind("an empty file", "fetch or generate it again")
    if head.startswith(HDF5):
        return None
    if head.startswith(ZIP):
        return _zip_kind(head)
    if head[TAR_AT:].startswith(TAR):
        return FileKind("a tar archive", UNPACK)
    for start, kind in KINDS.items():
        if head.startswith(start):
            return kind
    if head.lstrip().lower().startswith(WEB_PAGES):
        return FileKind("a web page", "the address needs a login, or is another one")
    if set(head) <= PRINTABLE:  # last: some formats above begin with printable bytes
        line = head.decode().splitlines()[0][:40]
        return FileKind(f"a text file that begins with {line!r}", CONVERT)
    return None


def _zip_kind(head: bytes) -> FileKind:
    length = int.from_bytes(head[26:28], "little")
    name = head[ZIP_NAME : ZIP_NAME + length].decode("ascii", "replace")
    for ending, kind in ZIP_KINDS.items():
        if name.endswith(ending):
            return kind
    return FileKind("a ZIP archive", UNPACK)
