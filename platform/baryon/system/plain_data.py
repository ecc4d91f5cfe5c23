"""Read JSON and YAML that somebody else may have written, as plain data within limits.

Everything that a run's folder holds comes through here. Whatever a file says, it is read as
mappings, lists, texts, numbers, true, false and null: no tags, no anchors, no aliases, no links
that lead elsewhere, no more bytes and no deeper nesting than Baryon itself would ever write.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from baryon.errors import BaryonError
from baryon.system.plain_limits import DEEPEST, LARGEST_INTEGER, LONGEST_NUMBER

LARGEST_JSON = 32 * 2**20
"""Bytes. A sweep of ten thousand jobs takes 5 MB."""
LARGEST_YAML = 2**19
"""Bytes. A frozen config takes some kilobytes; PyYAML reads about 200 kB a second."""
LARGEST_LOG = 2**30
"""Bytes of a log."""
LARGEST_LINE = 2**23
"""Bytes of a line of a log."""
INTERPOLATION = "${"

Shape = Callable[[Any], bool] | Mapping[str, Any] | list[Any]
"""What a value should look like; see `fits`."""


def read_text(path: Path, max_bytes: int = LARGEST_JSON) -> str:
    """Return the text of a UTF-8 file.

    Raises
    ------
    BaryonError
        Unless the path is a regular file, no link, of at most `max_bytes` of UTF-8.

    """
    return _decode(path, read_bytes(path, max_bytes))


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file.

    Raises
    ------
    BaryonError
        Unless the path is a regular file, no link, of at most `max_bytes`.

    """
    with _opened(path, max_bytes) as file:
        return file.read(os.fstat(file.fileno()).st_size)


@contextmanager
def _opened(path: Path, max_bytes: int) -> Iterator[BinaryIO]:
    """Open a regular file of at most `max_bytes` for reading."""
    # O_NONBLOCK: a pipe of this name must not keep the command waiting for a writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        if path.is_symlink():
            raise BaryonError(
                f"{path} is a link, which is not followed: put the file there"
            ) from error
        raise BaryonError(f"{path} cannot be read ({_reason(error)})") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise BaryonError(f"{path} cannot be read (it is not a regular file)")
        if status.st_size > max_bytes:
            raise BaryonError(f"{path} cannot be read (more than {max_bytes:,} bytes)")
        with os.fdopen(handle, "rb", closefd=False) as file:
            yield file
    except OSError as error:
        raise BaryonError(f"{path} cannot be read ({_reason(error)})") from error
    finally:
        os.close(handle)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    BaryonError
        If the file holds anything else, or exceeds the limits.

    """
    text = read_text(path)
    try:
        values = parse_json(text)
    except ValueError as error:
        raise BaryonError(f"{path} cannot be read ({_reason(error)})") from error
    if not isinstance(values, dict):
        raise BaryonError(f"{path} cannot be read (it holds no mapping)")
    return values


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    BaryonError
        If the file holds anything else, or exceeds the limits.

    """
    import yaml  # here, for most commands read no YAML

    from baryon.system.plain_yaml import PlainLoader

    text = read_text(path, LARGEST_YAML)
    try:
        values = yaml.load(text, PlainLoader)  # noqa: S506  a SafeLoader that takes even less
        _require_plain(values)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise BaryonError(f"{path} cannot be read ({_reason(error)})") from error
    if values is None:
        raise BaryonError(f"{path} cannot be read (it is empty)")
    if not isinstance(values, dict):
        raise BaryonError(f"{path} cannot be read (it holds no mapping)")
    return values


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        If the text is damaged or exceeds the limits.

    """
    try:
        value = json.loads(text, parse_int=_integer, object_pairs_hook=_mapping)
    except RecursionError:
        raise ValueError(f"nested more than {DEEPEST} deep") from None
    # Most texts are short and flat: those are not walked through once more.
    if text.count("{") + text.count("[") > DEEPEST or "\\ud" in text or "\\uD" in text:
        _require_plain(value)
    return value


def read_lines(path: Path) -> Iterator[str]:
    """Yield the whole lines of a log; a last line without its line feed is left out.

    A line that is too long is yielded empty.

    Raises
    ------
    BaryonError
        Unless the path is a regular file, no link, of at most `LARGEST_LOG` bytes.

    """
    with _opened(path, LARGEST_LOG) as file:
        while line := file.readline(LARGEST_LINE):
            if line.endswith(b"\n"):
                # Bytes that are no UTF-8 are replaced: one damaged line must not spoil the others.
                yield line[:-1].decode(errors="replace")
                continue
            while line and not line.endswith(b"\n"):  # too long, or the torn end
                line = file.readline(LARGEST_LINE)
            if line:
                yield ""


def fits(value: Any, shape: Shape) -> bool:
    """Return whether a value, read from a file that others may have written, has a shape.

    A shape is a predicate; a mapping of keys to shapes, where a key that ends in "?" may be absent
    and further keys are allowed; or a list of the one shape that all items have.
    """
    if callable(shape):
        return shape(value)
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    return isinstance(value, dict) and all(
        fits(value[name], inner) if (name := key.removesuffix("?")) in value else key != name
        for key, inner in shape.items()
    )


def is_text(value: Any) -> bool:
    """Return whether a value is a text."""
    return isinstance(value, str)


def is_number(value: Any) -> bool:
    """Return whether a value is an integer or a float, finite or not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """Return whether a value is a number that times and sums can be made of."""
    return is_number(value) and abs(value) < 1e15  # NaN compares false


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number from 0 that a float, as in a browser, holds."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def is_mapping(value: Any) -> bool:
    """Return whether a value is a mapping."""
    return isinstance(value, dict)


def optional(shape: Shape) -> Callable[[Any], bool]:
    """Return the shape of values that have `shape` or are null."""
    return lambda value: value is None or fits(value, shape)


def mapping_of(shape: Shape) -> Callable[[Any], bool]:
    """Return the shape of mappings of any keys to values of `shape`."""
    return lambda value: isinstance(value, dict) and all(fits(v, shape) for v in value.values())


def interpolations(values: Any, where: str = "") -> list[str]:
    """Return the dotted keys of texts that OmegaConf would interpolate, such as `${oc.env:X}`."""
    if isinstance(values, str):
        return [where] if INTERPOLATION in values else []
    pairs: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(values, Mapping):
        pairs = iter(values.items())
    elif isinstance(values, list | tuple):
        pairs = iter(enumerate(values))
    return [
        key
        for name, value in pairs
        for key in interpolations(value, f"{where}.{name}" if where else str(name))
    ]


def inside(folder: Path, name: object) -> Path:
    """Return the path of an entry of a folder whose name comes from a file.

    Raises
    ------
    BaryonError
        If the name leads out of the folder, or to a link.

    """
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name.encode()) < 256:
        raise BaryonError(f"{name!r:.80} is not a file name, so nothing in {folder}")
    if "/" in name or name in (".", ".."):
        raise BaryonError(f"{name!r:.80} leads out of {folder}")
    path = folder / name
    if path.is_symlink():
        raise BaryonError(f"{path} is a link, which is not followed")
    return path


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BaryonError(f"{path} cannot be read (it is not UTF-8: {error.reason})") from error


def _integer(digits: str) -> int:
    if len(digits) <= LONGEST_NUMBER and abs(value := int(digits)) < LARGEST_INTEGER:
        return value
    raise ValueError(f"an integer of {len(digits)} digits")


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in values if names.count(name) > 1)
        raise ValueError(f"{repeated!r:.80} is given twice")
    return values


def _require_plain(value: Any, depth: int = 0) -> None:
    """Raise `ValueError` if a value is nested too deep or a text holds half a surrogate pair."""
    if depth > DEEPEST:
        raise ValueError(f"nested more than {DEEPEST} deep")
    if isinstance(value, str):
        value.encode()  # raises for half a pair, which neither a page nor a terminal could show
    elif isinstance(value, dict):
        for key, inner in value.items():
            _require_plain(key, depth)
            _require_plain(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _require_plain(inner, depth + 1)


def _reason(error: Exception) -> str:
    """Return the reason in one line, without the excerpt of the file that PyYAML shows."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    text = str(getattr(error, "problem", None) or error).partition("\n")[0]
    mark = getattr(error, "problem_mark", None)
    return f"{text[:200]}, line {mark.line + 1}" if mark is not None else text[:200]


def finite(value: Any) -> Any:
    """Return a value with None in place of every number that JSON lacks: NaN, infinity."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
