"""Open an HDF5 file together with the files that its links and virtual datasets refer to.

HDF5 follows a link to another file anywhere on disk, and reads fill values where it is gone. Here
links are resolved step by step: a file that does not exist, or is outside the folder of the first
one, is an error.
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
"""Links that are followed for one member, as in the HDF5 library; more are taken for a cycle."""

_follow: ContextVar[bool] = ContextVar("follow_links", default=False)


@contextmanager
def following_links(everywhere: bool) -> Iterator[None]:
    """Let files that are opened inside this context refer to files in any folder, or not."""
    token = _follow.set(everywhere)
    try:
        yield
    finally:
        _follow.reset(token)


def follows_links() -> bool:
    """Return whether files that are opened now may refer to files in any folder."""
    return _follow.get()


@contextmanager
def one_line(path: Path | str, what: str) -> Iterator[None]:
    """Turn whatever h5py raises for a damaged file into a `BaryonError` that names it."""
    # h5py raises RuntimeError, KeyError, ValueError, TypeError and others for damage.
    try:
        yield
    except BaryonError:
        raise
    except Exception as error:
        raise BaryonError(
            f"{path}: {what} cannot be read ({format_error(error)}): fetch or generate it again"
        ) from error


class LinkedFiles:
    """A file and the files that it refers to, each opened once.

    Parameters
    ----------
    path
        Name of the file in messages, from whose folder its links are resolved.
    open_file
        Opens one file.
    location
        Where the file is read, if that is a copy on another disk.
    everywhere
        Whether links may leave the file's folder; by default as `following_links` says.

    """

    def __init__(
        self,
        path: Path,
        open_file: Callable[[Path], h5py.File],
        *,
        location: Path | None = None,
        everywhere: bool | None = None,
    ) -> None:
        self.path = path
        self._open_file = open_file
        self._everywhere = follows_links() if everywhere is None else everywhere
        self._folders = {path.absolute().parent.resolve(), path.resolve().parent}
        self.file: h5py.File = open_file(location or path)
        self._names = {self.file.filename: path}
        self._others: dict[Path, h5py.File] = {}

    @property
    def others(self) -> list[Path]:
        """The files that were opened so far for links and virtual datasets."""
        return sorted(self._others)

    def find(self, name: str, start: h5py.Group | None = None) -> Any:
        """Return the object at a path, following links; None if there is none.

        Raises `BaryonError` for a link to nothing, in a cycle or out of the folder.
        """
        import h5py

        item: Any = self.file if start is None else start
        parts, links = deque(_parts(name)), 0
        while parts:
            part = parts.popleft()
            if not isinstance(item, h5py.Group):
                return None
            with one_line(self.name_of(item), repr(part)):
                link = item.get(part, getlink=True)
                if isinstance(link, h5py.HardLink):
                    item = item[part]
                    continue
            if link is None:
                if links:
                    raise self._dangling(name, part, item)
                return None
            links += 1
            if links > MOST_LINKS:
                raise BaryonError(f"{self.path}: the links of {name!r} form a cycle")
            if isinstance(link, h5py.ExternalLink):
                item = self.other(item, link.filename, name)
            elif link.path.startswith("/"):
                item = item.file
            parts.extendleft(reversed(_parts(link.path)))
        return item

    def _dangling(self, name: str, part: str, item: Any) -> BaryonError:
        return BaryonError(
            f"{self.path}: {name!r} is a link to {part!r} in {self.name_of(item)}, which does not "
            "exist: put it there, or correct the link"
        )

    def other(self, of: Any, target: str, member: str) -> h5py.File:
        """Open the file that an object refers to by the name `target`."""
        if target == ".":  # a virtual dataset's own file
            return of.file
        path = self._resolved(self.name_of(of), target, member)
        if path not in self._others:
            self._others[path] = self._open_file(path)
            self._names[self._others[path].filename] = path
        return self._others[path]

    def _resolved(self, primary: Path, target: str, member: str) -> Path:
        """Return the file that the HDF5 library would open for a name, if it may be opened."""
        reference = f"{self.path}: member {member!r} refers to {target}"
        folders = [primary.absolute().parent, primary.resolve().parent]
        given = [Path(target)] if Path(target).is_absolute() else []
        # As HDF5 does, an absolute name that is gone is looked for beside the file as well.
        siblings = [folder / (Path(target).name if given else target) for folder in folders]
        path = next((path for path in [*given, *siblings] if path.is_file()), None)
        if path is None:
            raise BaryonError(
                f"{reference}, which does not exist (looked in {folders[0]}): put it there, or "
                "write the file again"
            )
        # Resolved first: a link of the file system may leave the folder as well.
        path = path.resolve()
        inside = any(path.is_relative_to(folder) for folder in self._folders)
        if not self._everywhere and not inside:
            raise BaryonError(
                f"{reference}, outside the folder of the file: data.follow_links=true reads it, if "
                "you trust where the file comes from"
            )
        return path

    def name_of(self, item: Any) -> Path:
        """Return the name of the file that an object is in, as the user knows it."""
        return self._names.get(item.file.filename, Path(item.file.filename))

    def close(self) -> None:
        """Close all files."""
        for file in [self.file, *self._others.values()]:
            file.close()


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def member(files: LinkedFiles, name: str) -> h5py.Dataset:
    """Return a dataset whose first axis counts rows, by its path.

    Raises
    ------
    BaryonError
        If there is no such member (the message names its siblings), or no tensor can be made of
        it: empty samples, extended precision, values in other files.

    """
    stored = files.find(name)
    if stored is None:
        raise _no_member(files, name)
    with one_line(files.path, f"member {name!r}"):
        _require_tensor(stored, files.path, name)
    return stored


def _no_member(files: LinkedFiles, name: str) -> BaryonError:
    import h5py

    parent, _, last = name.rpartition("/")
    group = files.find(parent) if parent else files.file
    with one_line(files.path, repr(parent or "/")):
        siblings = [_text(key) for key in group or ()] if isinstance(group, h5py.Group) else []
    return BaryonError(f"{files.path} has no member {name!r}; {did_you_mean(siblings, last)}")


def _require_tensor(stored: Any, path: Path, name: str) -> None:
    import h5py

    if not isinstance(stored, h5py.Dataset) or not stored.shape:
        raise BaryonError(f"{path}: {name!r} is not a table of rows but {stored!r}")
    if 0 in stored.shape[1:]:
        raise BaryonError(
            f"{path}: member {name!r} has shape {stored.shape}, samples without a number"
        )
    widest = {"f": 8, "c": 16}.get(stored.dtype.kind)
    if widest is not None and stored.dtype.itemsize > widest:
        raise BaryonError(
            f"{path}: member {name!r} has dtype {stored.dtype}, more precision than a tensor can "
            "have: write it as float64"
        )
    if stored.external:
        raise BaryonError(
            f"{path}: member {name!r} has its values as raw bytes in other files "
            f"({_text(stored.external[0][0])}), which is not supported: `h5repack` writes them "
            "into the file"
        )


def _text(name: str | bytes) -> str:
    """Return a printable name, whatever bytes it is made of."""
    raw = name if isinstance(name, bytes) else name.encode(errors="surrogateescape")
    return raw.decode(errors="replace")
