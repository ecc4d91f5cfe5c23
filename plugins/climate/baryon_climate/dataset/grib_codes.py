"""Read GRIB with ecCodes: the main program of a process of its own.

ecCodes believes the sizes that a message states, and damaged ones crash it or make it fill the
memory: that ends this process only. It imports ecCodes and NumPy alone.

Each line of standard input is a request in JSON. The answer is a line of JSON: `{"error": text}`,
`{"fields": [...]}` with the headers, or `{"bytes": n}`, which n bytes of values in float32 follow.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.errors import format_error
from baryon.system.process_limits import extend_cpu_limit, guard_process

SECONDS = 20
"""Processor time for one header or the values of one field; an endless loop uses it up."""
MEMORY_BYTES = 4 * 2**30
"""Address space of the process."""
MOST_POINTS, MOST_SIDE = 2**25, 2**16
"""Points of a field, of which a few bytes can declare billions, and points of a row or a column."""
EPOCH = np.datetime64("1900-01-01T00:00", "m")
MISSING = 1e20
"""What ecCodes is to write where a field has no value."""
REGULAR = "regular_ll"
TEXTS = ("gridType", "cfVarName", "shortName", "cfName", "units", "typeOfLevel")
GRID_NUMBERS = ("Nj", "Ni")
GRID_DEGREES = (
    "latitudeOfFirstGridPointInDegrees", "longitudeOfFirstGridPointInDegrees",
    "latitudeOfLastGridPointInDegrees", "longitudeOfLastGridPointInDegrees",
)  # fmt: skip
GRID_SCANNING = ("iScansNegatively", "jPointsAreConsecutive", "alternativeRowScanning")


class HeaderError(Exception):
    """The header of a field cannot be read: where, and why."""


def main() -> None:
    """Answer requests until the input ends."""
    guard_process(MEMORY_BYTES)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    for line in sys.stdin:
        request, values = json.loads(line), b""
        extend_cpu_limit(SECONDS)
        try:
            if "offset" in request:
                values = _values(**request).tobytes()
                answer: dict[str, Any] = {"bytes": len(values)}
            else:
                answer = {"fields": _headers(request["path"])}
        except HeaderError as error:
            answer = {"error": str(error)}
        except Exception as error:  # noqa: BLE001  ecCodes raises its own, NumPy those of dates
            answer = {"error": _reason(error)}
        answers.write(json.dumps(answer).encode() + b"\n" + values)
        answers.flush()


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"(it needs more than {MEMORY_BYTES:,} bytes of memory)"
    own = isinstance(error, ValueError)
    return f"({' '.join(str(error).split()) if own else format_error(error)})"


def _headers(path: str) -> list[dict[str, Any]]:
    """Return what the header of each field says. Raises `HeaderError` where one cannot be read."""
    import eccodes

    fields: list[dict[str, Any]] = []
    with open(path, "rb") as file, _several_fields_a_message(eccodes, file):  # noqa: PTH123
        while True:
            extend_cpu_limit(SECONDS)
            try:
                handle = eccodes.codes_grib_new_from_file(file)
                if handle is None:
                    return fields
                field = _header(eccodes, handle)
            except Exception as error:
                raise HeaderError(f"after {len(fields):,} fields {_reason(error)}") from error
            eccodes.codes_release(handle)
            again = bool(fields) and fields[-1]["offset"] == field["offset"]
            fields.append(field | {"part": fields[-1]["part"] + 1 if again else 0})


@contextmanager
def _several_fields_a_message(codes: Any, file: Any) -> Iterator[None]:
    """Let ecCodes give every field of a message of its own, in this block."""
    codes.codes_grib_multi_support_on()
    try:
        yield
    finally:
        codes.codes_grib_multi_support_off()
        codes.codes_grib_multi_support_reset_file(file)


def _header(codes: Any, handle: Any) -> dict[str, Any]:
    def get(key: str, kind: type = str) -> Any:
        return codes.codes_get(handle, key, ktype=kind)

    field = {key: get(key) for key in TEXTS}
    if field["gridType"] == REGULAR:
        field |= {key: get(key, int) for key in (*GRID_NUMBERS, *GRID_SCANNING)}
        field |= {key: get(key, float) for key in GRID_DEGREES}
        _require_possible(field["Nj"], field["Ni"], codes.codes_get_size(handle, "values"))
    day, clock = get("validityDate"), f"{get('validityTime', int):04}"
    if len(day) != len("yyyymmdd"):
        raise ValueError(f"{day} is no date")
    time = np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:]}", "m")
    return field | {
        "offset": get("offset", int),
        "level": get("level", float),
        "minutes": int((time - EPOCH).astype(np.int64)),
        "member": get("number", int) if codes.codes_is_defined(handle, "number") else 0,
    }


def _require_possible(rows: int, columns: int, points: int) -> None:
    if not (0 < rows <= MOST_SIDE and 0 < columns <= MOST_SIDE and rows * columns <= MOST_POINTS):
        raise ValueError(
            f"{rows:,} x {columns:,} points; a field may have {MOST_POINTS:,}, and {MOST_SIDE:,} a "
            "side"
        )
    if points != rows * columns:
        raise ValueError(f"{points:,} values for {rows:,} x {columns:,} points")


def _values(path: str, offset: int, part: int, points: int) -> npt.NDArray[np.float32]:
    """Decode a field. Raises `ValueError` if it has not as many points as its header said."""
    import eccodes

    with open(path, "rb") as file, _several_fields_a_message(eccodes, file):  # noqa: PTH123
        file.seek(offset)
        # The fields of a message come one after the other: those before this one must be passed.
        for _ in range(part):
            eccodes.codes_release(eccodes.codes_grib_new_from_file(file))
        handle = eccodes.codes_grib_new_from_file(file)
        if handle is None or eccodes.codes_get_size(handle, "values") != points:
            raise ValueError("the file was changed while it was read")
        eccodes.codes_set(handle, "missingValue", MISSING)
        values = eccodes.codes_get_values(handle)
        eccodes.codes_release(handle)
    with np.errstate(all="ignore"):
        return np.where(values >= MISSING, np.nan, values).astype(np.float32)
