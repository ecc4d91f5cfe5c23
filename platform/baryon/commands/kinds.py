"""Kinds of values of arguments: how a usage line shows them, how they are read and completed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError, did_you_mean

RUNS = "runs"
"""The folder in which runs and sweeps are looked for where a value has no folder yet."""


@dataclass(frozen=True)
class Kind:
    """Any text; what is made of it may fail later with a better message.

    Attributes
    ----------
    placeholder
        What stands for the value in a usage line.

    """

    placeholder: str

    def read(self, given: str, text: str) -> Any:
        """Return the value of a text; `given` is the whole word.

        Raises `BaryonError` if it is wrong.
        """
        del given
        return text

    def complete(self, started: str) -> Iterable[str]:
        """Return values that begin with what was started to be written; the shell knows files."""
        del started
        return ()


class Choice(Kind):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        super().__init__("|".join(words))

    @property
    def words(self) -> list[str]:
        """Return the words that can be chosen."""
        # Kept in the placeholder alone, so that what is shown and what is taken cannot differ.
        return self.placeholder.split("|")

    def read(self, given: str, text: str) -> str:
        """Return the word. Raises `BaryonError` with those that there are for another."""
        if text not in self.words:
            raise BaryonError(f"{given:.80} is not known; {did_you_mean(self.words, text)}")
        return text

    def complete(self, started: str) -> Iterable[str]:
        """Return the words."""
        del started
        return self.words


@dataclass(frozen=True)
class WholeNumber(Kind):
    """A whole number between two bounds, both included."""

    least: int
    most: int

    def read(self, given: str, text: str) -> int:
        """Return the number. Raises `BaryonError` with the bounds for anything else."""
        # int() takes more than digits, and much time for very many of them.
        is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(self.most))
        if not is_number or not self.least <= int(text) <= self.most:
            raise BaryonError(
                f"{given:.80} must be a whole number from {self.least} to {self.most}"
            )
        return int(text)


class Tolerance(Kind):
    """A finite number that is not negative."""

    def read(self, given: str, text: str) -> float:
        """Return the number. Raises `BaryonError` for anything else."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        # NaN, of which every comparison is false, is refused as well.
        if not 0 <= value < math.inf:
            raise BaryonError(f"{given:.80} must be a number, 0 or more")
        return value


class Files(Kind):
    """Files or globs with commas between them."""

    def read(self, given: str, text: str) -> list[str]:
        """Return the entries. Raises `BaryonError` if one is empty."""
        entries = text.removeprefix("[").removesuffix("]").split(",")
        # Spaces around a comma are for the eye; an empty entry would match the whole folder.
        files = [entry.strip() for entry in entries]
        if not all(files):
            raise BaryonError(f"{given:.80} must be files with commas between them")
        return files


class Folder(Kind):
    """A folder that exists."""

    def read(self, given: str, text: str) -> Path:
        """Return its absolute path. Raises `BaryonError` if there is no such folder."""
        # Absolute now: the command may change the working directory before it is used.
        folder = Path(text).absolute()
        if not folder.is_dir():
            raise BaryonError(f"{given:.80}: there is no such folder")
        return folder


class Choices(Choice):
    """Some of a few words, with commas between them."""

    def read(self, given: str, text: str) -> tuple[str, ...]:  # type: ignore[override]
        """Return the words. Raises `BaryonError` for one that is not among them."""
        return tuple(super(Choices, self).read(given, word) for word in text.split(","))


@dataclass(frozen=True)
class WholeNumbers(WholeNumber):
    """Whole numbers with commas between them; `1..16384` doubles from the first to the second."""

    def read(self, given: str, text: str) -> tuple[int, ...]:  # type: ignore[override]
        """Return the numbers, ascending. Raises `BaryonError` for anything else."""
        numbers: set[int] = set()
        for part in text.split(","):
            first, dots, last = part.partition("..")
            number = WholeNumber.read(self, given, first)
            end = WholeNumber.read(self, given, last) if dots else number
            while number < end:
                numbers.add(number)
                number *= 2
            numbers.add(end)
        return tuple(sorted(numbers))


@dataclass(frozen=True)
class Described(Kind):
    """A description that Baryon ships, by name, or the file of one.

    Attributes
    ----------
    of
        What is described: `machine` or `network`.

    """

    of: str

    def complete(self, started: str) -> Iterable[str]:
        """Return the names of those that are shipped."""
        from baryon.scaling.plain_file import shipped_descriptions

        del started
        return shipped_descriptions(self.of)


@dataclass(frozen=True)
class FolderWith(Kind):
    """A folder that is known by a file in it, such as a run's; its reader says if it is none."""

    file: str

    def complete(self, started: str) -> Iterable[str]:
        """Return the folders that hold the file, beside what was started to be written."""
        parent = Path(started.rpartition("/")[0] or RUNS)
        return [path.parent.as_posix() for path in parent.glob(f"*/{self.file}")]


OUT_FOLDER = Kind("<dir>")
OUT_FILE = Kind("<file>")
