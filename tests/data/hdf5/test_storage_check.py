"""Files that say of themselves what they do not hold: refused before the library reads them."""

import zlib

import h5py
import numpy as np
import pytest

from baryon.data.hdf5 import storage_check
from baryon.data.hdf5.table import Hdf5Table, require_sound
from baryon.errors import BaryonError
from baryon.terminal.console import console

ROWS, CHUNK = 24, (8, 3, 16, 16)
VALUES = np.random.default_rng(1).poisson(1, CHUNK).astype("f4")
GOOD = VALUES.tobytes()
SHUFFLED = np.frombuffer(GOOD, np.uint8).reshape(-1, 4).T.tobytes()
GZIP = {"compression": "gzip", "shuffle": True}


@pytest.fixture
def raw(tmp_path):
    """A file whose three chunks are what the test says, past all filters."""

    def write(chunk: bytes, mask: int = 0, **layout):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            stored = file.create_dataset("x", (ROWS, *CHUNK[1:]), "f4", chunks=CHUNK, **layout)
            for row in range(0, ROWS, 8):
                stored.id.write_direct_chunk((row, 0, 0, 0), chunk, filter_mask=mask)
        return path

    return write


def refused(path) -> str:
    with pytest.raises(BaryonError) as raised:
        Hdf5Table([path], {"x": "x"}).read("x", 0, 8)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("chunk", "mask", "layout"),
    [
        (GOOD, 0, {}),
        (SHUFFLED, 0, {"shuffle": True}),
        (zlib.compress(SHUFFLED), 0, GZIP),
        (SHUFFLED, 2, GZIP),
        (zlib.compress(GOOD), 1, GZIP),
        (GOOD, 3, GZIP),
        (GOOD, 0xFFFFFFFF, GZIP),
    ],
)
def test_table_reads_chunks_with_filter_mask(raw, chunk, mask, layout):
    path = raw(chunk, mask, **layout)
    np.testing.assert_array_equal(Hdf5Table([path], {"x": "x"}).read("x", 8, 16), VALUES)


@pytest.mark.parametrize(
    ("chunk", "mask", "layout", "reason"),
    [
        (b"\0" * 16, 0, {}, "a chunk without filters has 16 bytes, not 24,576"),
        (GOOD + b"more", 0, {}, "a chunk without filters has 24,580 bytes, not 24,576"),
        (GOOD[:100], 3, GZIP, "a chunk without filters has 100 bytes, not 24,576"),
        (SHUFFLED[:1001], 0, {"shuffle": True}, "unshuffle: 1001 bytes where 24576 were expected"),
        (SHUFFLED + b"x", 0, {"shuffle": True}, "unshuffle: 24577 bytes where 24576 were"),
        (zlib.compress(SHUFFLED[:1000]), 0, GZIP, "24576 were expected"),
        (zlib.compress(b"\0" * 2**24, 9), 0, GZIP, "inflate: "),
        (b"noise" * 9, 0, GZIP, "inflate: "),
        (GOOD + b"\0\0\0\0", 0, {"fletcher32": True}, "its Fletcher-32 checksum does not match"),
    ],
)
def test_table_refuses_chunks_of_wrong_size(raw, chunk, mask, layout, reason, monkeypatch):
    monkeypatch.setattr(
        h5py.Dataset, "__getitem__", lambda *_: pytest.fail("the library was asked")
    )
    assert reason in refused(raw(chunk, mask, **layout))


def test_require_sound_finds_short_chunk(raw):
    with pytest.raises(BaryonError, match=r"'x' cannot be read \(a chunk without filters has 16"):
        require_sound(raw(b"\0" * 16))
    require_sound(raw(GOOD))


def test_table_refuses_huge_chunks(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        whole = {"shape": (ROWS, 2**20), "maxshape": (None, 2**20), "chunks": (1000, 2**20)}
        stored = file.create_dataset("x", dtype="f4", **whole, **GZIP)
        stored.id.write_direct_chunk((0, 0), zlib.compress(b"\0" * 1000))
    assert "chunks of 4,194,304,000 bytes are not supported, at most 268,435,456" in refused(path)


@pytest.mark.parametrize(("rows", "chunks"), [(10**8, 2**20), (10**12, 2**20), (10**9, None)])
def test_table_refuses_implausible_rows(tmp_path, rows, chunks):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name in ("x", "y", "z"):
            file.create_dataset(name, (rows,), "f4", chunks=chunks and (chunks,), fillvalue=1)
    with pytest.raises(BaryonError, match=rf"declares {12 * rows:,} bytes of values, but has "):
        Hdf5Table([path], {name: name for name in "xyz"})


def test_library_member_refuses_decompression_bomb(raw, monkeypatch):
    """Its own decoding of DEFLATE has no bound; what stands before it needs the library."""
    monkeypatch.setattr(storage_check, "SURE_BYTES", 2**20)
    monkeypatch.setattr(storage_check, "MIB", 2**16)
    layout = {"scaleoffset": 0, "compression": "gzip"}
    path = raw(zlib.compress(b"\0" * 2**22, 9), **layout)
    assert "a chunk decodes to more than its 24,576 bytes" in refused(path)


def test_table_refuses_empty_samples_and_extended_precision(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (ROWS, 3, 0, 64), "f4")
    assert "has shape (24, 3, 0, 64), samples without a number" in refused(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = np.ones((ROWS, 3), np.longdouble)
    assert "more precision than a tensor can have" in refused(tmp_path / "b.h5")


def said_of(path) -> str:
    with console().capture() as said:
        Hdf5Table([path], {"x": "x"}).read("x", 0, 1)
    return said.get()


def test_table_warns_of_unwritten_chunks(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = file.create_dataset("x", (20, 2), "f4", chunks=(4, 2), fillvalue=7)
        stored[:8] = 1
    assert "of member 'x' 3 of 5 chunks were never written and read as 7.0" in said_of(
        tmp_path / "a.h5"
    )


def test_table_warns_of_unwritten_tail(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = file.create_dataset("x", (1000, 1024), "f4")
        stored[:250] = 1
    assert "rows were never written and read as 0.0" in said_of(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("x", (1000, 1024), "f4")
    assert "of member 'x' the whole of it were never written" in said_of(tmp_path / "b.h5")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["x"] = np.ones((1000, 1024), "f4")
    assert "never written" not in said_of(tmp_path / "c.h5")


def test_table_warns_of_unwritten_parts_of_members_that_the_library_reads(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = file.create_dataset("x", (20, 2), "i4", chunks=(4, 2), scaleoffset=0)
        stored[:8] = 1
    assert "of member 'x' 3 of 5 chunks were never written" in said_of(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w", userblock_size=512) as file:
        stored = file.create_dataset("x", (1000, 1024), "f4")
        stored[:250] = 1
        file["last"] = np.ones(9)  # without which the file is truncated before the hole's end
    assert "rows were never written and read as 0.0" in said_of(tmp_path / "b.h5")


def test_messages_show_undecodable_names(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file[b"caf\xe9"] = np.ones(3)
    with pytest.raises(BaryonError, match=r"has no member 'x'; .*caf"):
        Hdf5Table([tmp_path / "a.h5"], {"x": "x"})
