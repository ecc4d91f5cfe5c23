"""Read JSON and YAML that somebody else may have written, as plain data within limits.

Everything that a run's folder holds comes through here. Whatever a file says, it is read as
mappings, lists, texts, numbers, true, false and null: no tags, no anchors, no aliases, no links
that lead elsewhere, no more bytes and no deeper nesting than Baryon itself would ever write.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from baryon.errors import BaryonError

LARGEST_JSON = 32 * 2**20
"""Bytes. A sweep of ten thousand jobs takes 5 MB."""
LARGEST_YAML = 2**19
"""Bytes. A frozen config takes some kilobytes; PyYAML reads about 200 kB a second."""
LARGEST_LOG = 2**30
LARGEST_LINE = 2**23
"""Bytes of a log and of each of its lines."""
DEEPEST = 32
"""Mappings and lists in one another."""
LARGEST_INTEGER = 2**64
LONGEST_NUMBER = 40
"""Characters: PyYAML takes time that grows as the square for a number in sexagesimal notation."""
INTERPOLATION = "${"

Shape = Callable[[Any], bool] | Mapping[str, Any] | list[Any]


def read_text(path: Path, most: int = LARGEST_JSON) -> str:
    """A regular file, no link, of at most `most` bytes of UTF-8.

    Raises `BaryonError` for anything else, and if there is no such file.
    """
    return _decode(path, read_bytes(path, most))


def read_bytes(path: Path, most: int) -> bytes:
    """The same, of any bytes."""
    with _opened(path, most) as file:
        return file.read(os.fstat(file.fileno()).st_size)


@contextmanager
def _opened(path: Path, most: int) -> Iterator[BinaryIO]:
    """A regular file to be read, its size checked."""
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
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise BaryonError(f"{path} cannot be read (it is no regular file)")
        if about.st_size > most:
            raise BaryonError(f"{path} cannot be read (more than {most:,} bytes)")
        with os.fdopen(handle, "rb", closefd=False) as file:
            yield file
    except OSError as error:
        raise BaryonError(f"{path} cannot be read ({_reason(error)})") from error
    finally:
        os.close(handle)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises `BaryonError` for a file that holds anything else."""
    text = read_text(path)
    try:
        values = parse_json(text)
    except ValueError as error:
        raise BaryonError(f"{path} cannot be read ({_reason(error)})") from error
    if not isinstance(values, dict):
        raise BaryonError(f"{path} cannot be read (it holds no mapping)")
    return values


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping from a file. Raises `BaryonError` for a file that holds anything else."""
    import yaml

    text = read_text(path, LARGEST_YAML)
    try:
        values = yaml.load(text, _yaml_loader())  # noqa: S506  a SafeLoader that takes even less
        _require_plain(values)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise BaryonError(f"{path} cannot be read ({_reason(error)})") from error
    if values is None:
        raise BaryonError(f"{path} cannot be read (it is empty)")
    if not isinstance(values, dict):
        raise BaryonError(f"{path} cannot be read (it holds no mapping)")
    return values


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises `ValueError` for a damaged one, or beyond the limits."""
    try:
        value = json.loads(text, parse_int=_integer, object_pairs_hook=_mapping)
    except RecursionError:
        raise ValueError(f"nested more than {DEEPEST} deep") from None
    # Most texts are short and flat: those are not walked through once more.
    if text.count("{") + text.count("[") > DEEPEST or "\\ud" in text or "\\uD" in text:
        _require_plain(value)
    return value


def read_lines(path: Path) -> Iterator[str]:
    """The whole lines of a log, one after the other; a last line without its end is left out.

    Raises `BaryonError` as `read_text` does. Bytes that are no UTF-8 are replaced, for one damaged
    line is not to spoil the others; a line that is too long is given empty.
    """
    with _opened(path, LARGEST_LOG) as file:
        while line := file.readline(LARGEST_LINE):
            if line.endswith(b"\n"):
                yield line[:-1].decode(errors="replace")
                continue
            while line and not line.endswith(b"\n"):  # too long, or the torn end
                line = file.readline(LARGEST_LINE)
            if line:
                yield ""


def fits(value: Any, shape: Shape) -> bool:
    """Whether a value has a shape: the parts of a file that others may have written.

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
    """A text."""
    return isinstance(value, str)


def is_number(value: Any) -> bool:
    """An integer or a float, finite or not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """A number that times and sums can be made of."""
    return is_number(value) and abs(value) < 1e15  # which not-a-number is not


def is_count(value: Any) -> bool:
    """A whole number, 0 or more, that a float (and so a browser) holds exactly."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def is_mapping(value: Any) -> bool:
    """A mapping of anything."""
    return isinstance(value, dict)


def optional(shape: Shape) -> Callable[[Any], bool]:
    """The shape, or null."""
    return lambda value: value is None or fits(value, shape)


def mapping_of(shape: Shape) -> Callable[[Any], bool]:
    """A mapping of any keys, each with a value of this shape."""
    return lambda value: isinstance(value, dict) and all(fits(v, shape) for v in value.values())


def interpolations(values: Any, where: str = "") -> list[str]:
    """The dotted keys of texts in which OmegaConf would put something else, as in `${oc.env:X}`."""
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
    """The path of an entry of a folder whose name a file tells.

    Raises `BaryonError` for a name that leads out of the folder, and for one that is a link.
    """
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name.encode()) < 256:
        raise BaryonError(f"{name!r:.80} is no name of something in {folder}")
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
        raise BaryonError(f"{path} cannot be read (it is no UTF-8: {error.reason})") from error


def _integer(digits: str) -> int:
    if len(digits) <= LONGEST_NUMBER and abs(value := int(digits)) < LARGEST_INTEGER:
        return value
    raise ValueError(f"an integer of {len(digits)} digits")


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in values if names.count(name) > 1)
        raise ValueError(f"{twice!r:.80} is given twice")
    return values


def _require_plain(value: Any, depth: int = 0) -> None:
    """Raise `ValueError` for what is nested too deep, and for half a surrogate pair in a text.

    The latter is no character: neither a page nor a terminal could show it.
    """
    if depth > DEEPEST:
        raise ValueError(f"nested more than {DEEPEST} deep")
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, dict):
        for key, inner in value.items():
            _require_plain(key, depth)
            _require_plain(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _require_plain(inner, depth + 1)


def _reason(error: Exception) -> str:
    """One line, without the excerpt of the file that PyYAML shows."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    text = str(getattr(error, "problem", None) or error).partition("\n")[0]
    mark = getattr(error, "problem_mark", None)
    return f"{text[:200]}, line {mark.line + 1}" if mark is not None else text[:200]


@cache
def _yaml_loader() -> Any:
    """PyYAML's SafeLoader with limits, and with floats as YAML 1.2 and OmegaConf have them."""
    import yaml
    from yaml.constructor import ConstructorError

    class PlainLoader(yaml.SafeLoader):  # type: ignore[misc]
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.peek_event()
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise ConstructorError(None, None, "an anchor or alias", event.start_mark)
            if getattr(event, "tag", None) is not None:
                raise ConstructorError(None, None, f"the tag {event.tag:.80}", event.start_mark)
            if self.depth > DEEPEST:
                problem = f"nested more than {DEEPEST} deep"
                raise ConstructorError(None, None, problem, event.start_mark)
            self.depth += 1
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def construct_yaml_number(self, node: Any) -> int | float:
            if len(node.value) > LONGEST_NUMBER:
                problem = f"a number of {len(node.value)} characters"
                raise ConstructorError(None, None, problem, node.start_mark)
            if node.tag.endswith("float"):
                return float(self.construct_yaml_float(node))
            if abs(value := int(self.construct_yaml_int(node))) >= LARGEST_INTEGER:
                raise ConstructorError(None, None, "an integer too large", node.start_mark)
            return value

        def construct_yaml_mapping(self, node: Any) -> dict[Any, Any]:
            values: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                if not isinstance(key_node, yaml.ScalarNode):
                    raise ConstructorError(None, None, "a key that is no text", key_node.start_mark)
                key = self.construct_object(key_node)
                if not isinstance(key, str | int) or isinstance(key, bool):
                    raise ConstructorError(None, None, "a key that is no text", key_node.start_mark)
                if key in values:
                    problem = f"{key!r:.80} is given twice"
                    raise ConstructorError(None, None, problem, key_node.start_mark)
                values[key] = self.construct_object(value_node, deep=True)
            if len({type(key) for key in values}) > 1:
                problem = "texts and numbers as keys of one mapping"
                raise ConstructorError(None, None, problem, node.start_mark)
            return values

    left_out = ("timestamp", "merge", "value", "float")
    PlainLoader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0].rpartition(":")[2] not in left_out]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    number = r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    number += r"|[0-9][0-9_]*[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
    PlainLoader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(f"^(?:{number})$"), list("-+0123456789.")
    )
    for kind in ("int", "float"):
        PlainLoader.add_constructor(f"tag:yaml.org,2002:{kind}", PlainLoader.construct_yaml_number)
    PlainLoader.add_constructor("tag:yaml.org,2002:map", PlainLoader.construct_yaml_mapping)
    return PlainLoader


def finite(value: Any) -> Any:
    """Return the same with None for every number that JSON does not have: NaN, infinity."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
