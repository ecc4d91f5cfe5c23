"""Write TensorBoard's event files without TensorBoard.

An event file is a TFRecord: for each event its length (8 bytes), the masked CRC-32C of that, the
event, and the masked CRC-32C of that; an event is a protobuf message (tensorflow/core/util/
event.proto, framework/summary.proto). The four fields that scalars need are written here by hand;
TensorBoard's own writer would bring gRPC, protobuf, Werkzeug and Markdown, 57 MB, into every
installation. A test reads our files with it.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

VERSION = b"brain.Event:2"
START = 1
"""`SessionLog.START`: TensorBoard drops what earlier files hold of this step and later ones."""

# Field numbers of Event, Summary, Summary.Value and SessionLog.
WALL_TIME, STEP, FILE_VERSION, SUMMARY, SESSION_LOG = 1, 2, 3, 5, 7
VALUE = 1
TAG, SIMPLE_VALUE = 1, 2
STATUS = 1
# Wire types of protobuf.
VARINT, DOUBLE, BYTES, FLOAT = 0, 1, 2, 5


class EventFile:
    """Append scalars to a new event file.

    Parameters
    ----------
    folder
        Folder of the file, TensorBoard's log directory.
    first_step
        First step that may come. A resumed run makes later ones of earlier files again.

    Raises
    ------
    OSError
        If the file cannot be written.

    """

    def __init__(self, folder: Path, first_step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self.path = folder / name
        self._file = self.path.open("xb")
        self._write(_bytes(FILE_VERSION, VERSION))
        self._write(_varint(STEP, first_step) + _bytes(SESSION_LOG, _varint(STATUS, START)))
        self._file.flush()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write the scalars of one step."""
        entries = (
            _bytes(TAG, name.encode()) + _float(SIMPLE_VALUE, value)
            for name, value in values.items()
        )
        summary = b"".join(_bytes(VALUE, entry) for entry in entries)
        self._write(_varint(STEP, step) + _bytes(SUMMARY, summary))
        self._file.flush()  # TensorBoard reads while the run goes on

    def close(self, *, finished: bool) -> None:
        """Close the file; whether the run has finished is nothing that it can hold."""
        del finished
        self._file.close()

    def _write(self, fields: bytes) -> None:
        event = _key(WALL_TIME, DOUBLE) + struct.pack("<d", time.time()) + fields
        length = struct.pack("<Q", len(event))
        record = length + _checked(length) + event + _checked(event)
        self._file.write(record)


def _key(field: int, wire: int) -> bytes:
    return _number(field << 3 | wire)


def _number(value: int) -> bytes:
    """Encode a number as protobuf does: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _varint(field: int, value: int) -> bytes:
    return _key(field, VARINT) + _number(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, BYTES) + _number(len(value)) + value


def _float(field: int, value: float) -> bytes:
    try:
        packed = struct.pack("<f", value)
    except OverflowError:  # beyond single precision
        packed = struct.pack("<f", float("inf") if value > 0 else float("-inf"))
    return _key(field, FLOAT) + packed


def _table() -> tuple[int, ...]:
    """Return the CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of every byte."""
    checksums = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        checksums.append(crc)
    return tuple(checksums)


_CRC = _table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of some bytes; slow, but fast enough for events of a hundred bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _checked(data: bytes) -> bytes:
    """Return the masked checksum of a record's part, little-endian."""
    # TFRecord masks it, for the checksum of data that hold checksums would be weak.
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
