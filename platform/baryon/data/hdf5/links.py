"""An HDF5 file together with the files that its links and virtual datasets lead to.

HDF5 follows a link into another file wherever that lies, and reads blanks where it is gone. Here
every step is taken one by one: a file that is not there, or that lies outside the folder of the
first one, is an error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.errors import BaryonError, did_you_mean, format_error

if TYPE_CHECKING:
    import h5py

MOST_LINKS = 16
"""That are followed for one member, as in the HDF5 library: more are a circle."""

_follow: ContextVar[bool] = ContextVar("follow_links", default=False)


@contextmanager
def following_links(everywhere: bool) -> Iterator[None]:
    """While this lasts, files that are opened may lead to others in any folder, or not."""
    token = _follow.set(everywhere)
    try:
        yield
    finally:
        _follow.reset(token)


def follows_links() -> bool:
    """Whether files that are opened now may lead to others in any folder."""
    return _follow.get()


@contextmanager
def one_line(path: Path | str, what: str) -> Iterator[None]:
    """Turn whatever h5py raises for a damaged file into a `BaryonError` that names it.

    h5py raises RuntimeError, KeyError, ValueError, TypeError and others for what damage does.
    """
    try:
        yield
    except BaryonError:
        raise
    except Exception as error:
        raise BaryonError(
            f"{path}: {what} cannot be read ({format_error(error)}): fetch or generate it again"
        ) from error


class LinkedFiles:
    """A file and those that it leads to, each opened once.

    `path` is what the file is called and where its links start from, `place` where it is read (a
    copy on another disk, perhaps). With `everywhere` links may leave the file's folder.
    """

    def __init__(
        self,
        path: Path,
        open_one: Callable[[Path], h5py.File],
        *,
        place: Path | None = None,
        everywhere: bool | None = None,
    ) -> None:
        self.path = path
        self._open_one = open_one
        self._everywhere = follows_links() if everywhere is None else everywhere
        self._folders = {path.absolute().parent.resolve(), path.resolve().parent}
        self.file: h5py.File = open_one(place or path)
        self._names = {self.file.filename: path}
        self._others: dict[Path, h5py.File] = {}

    @property
    def others(self) -> list[Path]:
        """The files that links and virtual datasets have led to so far."""
        return sorted(self._others)

    def find(self, name: str, start: h5py.Group | None = None) -> Any:
        """The object at a path, followed through links; None if there is none.

        Raises `BaryonError` for a link that leads nowhere, in a circle or out of the folder.
        """
        import h5py

        at: Any = self.file if start is None else start
        parts, links = deque(_parts(name)), 0
        while parts:
            part = parts.popleft()
            if not isinstance(at, h5py.Group):
                return None
            with one_line(self.name_of(at), repr(part)):
                link = at.get(part, getlink=True)
                if isinstance(link, h5py.HardLink):
                    at = at[part]
                    continue
            if link is None:
                if not links:
                    return None
                raise BaryonError(
                    f"{self.path}: {name!r} is a link to {part!r} in {self.name_of(at)}, which is "
                    "not there: put it there, or mend the link"
                )
            links += 1
            if links > MOST_LINKS:
                raise BaryonError(f"{self.path}: the links of {name!r} lead in a circle")
            if isinstance(link, h5py.ExternalLink):
                at = self.other(at, link.filename, name)
            elif link.path.startswith("/"):
                at = at.file
            parts.extendleft(reversed(_parts(link.path)))
        return at

    def other(self, of: Any, target: str, member: str) -> h5py.File:
        """Open the file that an object leads to, by the name that the object has for it."""
        if target == ".":  # a virtual dataset's own file
            return of.file
        path = self._resolved(self.name_of(of), target, member)
        if path not in self._others:
            self._others[path] = self._open_one(path)
            self._names[self._others[path].filename] = path
        return self._others[path]

    def _resolved(self, primary: Path, target: str, member: str) -> Path:
        """The file that the HDF5 library would open for a name, if it may be opened."""
        who = f"{self.path}: member {member!r} leads to {target}"
        folders = [primary.absolute().parent, primary.resolve().parent]
        given = [Path(target)] if Path(target).is_absolute() else []
        beside = [folder / (Path(target).name if given else target) for folder in folders]
        path = next((path for path in [*given, *beside] if path.is_file()), None)
        if path is None:
            raise BaryonError(
                f"{who}, which does not exist (looked in {folders[0]}): put it there, or write "
                "the file anew"
            )
        path = path.resolve()
        if not self._everywhere and not any(path.is_relative_to(own) for own in self._folders):
            raise BaryonError(
                f"{who}, outside the folder of the file: data.follow_links=true reads it, if you "
                "trust where the file comes from"
            )
        return path

    def name_of(self, item: Any) -> Path:
        """The file that an object is in, as people know it."""
        return self._names.get(item.file.filename, Path(item.file.filename))

    def close(self) -> None:
        """Close all."""
        for file in [self.file, *self._others.values()]:
            file.close()


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def member(files: LinkedFiles, name: str) -> h5py.Dataset:
    """Return a table of rows by its path.

    Raises `BaryonError` naming what exists beside it if it is not there, and for what no tensor
    can be made of: samples without a number in them, extended precision.
    """
    import h5py

    stored = files.find(name)
    if stored is None:
        parent, _, last = name.rpartition("/")
        group = files.find(parent) if parent else files.file
        with one_line(files.path, repr(parent or "/")):
            siblings = [_text(key) for key in group or ()] if isinstance(group, h5py.Group) else []
        raise BaryonError(f"{files.path} has no member {name!r}; {did_you_mean(siblings, last)}")
    with one_line(files.path, f"member {name!r}"):
        if not isinstance(stored, h5py.Dataset) or not stored.shape:
            raise BaryonError(f"{files.path}: {name!r} is no table of rows but {stored!r}")
        if 0 in stored.shape[1:]:
            raise BaryonError(
                f"{files.path}: member {name!r} has shape {stored.shape}, samples without a number"
            )
        if stored.dtype.kind in "fc" and stored.dtype.itemsize > (
            16 if stored.dtype.kind == "c" else 8
        ):
            raise BaryonError(
                f"{files.path}: member {name!r} has dtype {stored.dtype}, more precision than a "
                "tensor can have: write it as float64"
            )
        if stored.external:
            raise BaryonError(
                f"{files.path}: member {name!r} has its values as raw bytes in other files "
                f"({_text(stored.external[0][0])}), which is not read: `h5repack` writes them into "
                "the file"
            )
    return stored


def _text(name: str | bytes) -> str:
    """A name for people, whatever bytes it is made of."""
    raw = name if isinstance(name, bytes) else name.encode(errors="surrogateescape")
    return raw.decode(errors="replace")
