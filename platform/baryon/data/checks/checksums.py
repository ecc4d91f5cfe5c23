"""Compare the SHA-256 of every file with a `SHA256SUMS` that lies beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from baryon.data.checks.finding import Finding

SUMS = "SHA256SUMS"


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_findings(split: str, sums: Mapping[Path, str]) -> Iterable[Finding]:
    """Find files whose SHA-256 is not the one that their `SHA256SUMS` lists."""
    for path, actual in sums.items():
        expected = _listed(path)
        if expected and expected != actual:
            yield Finding(
                split,
                f"{path} has SHA-256 {actual[:12]}..., but {path.parent / SUMS} says "
                f"{expected[:12]}...: fetch it again",
                refused=True,
            )


def is_listed(path: Path) -> bool:
    """Return whether a `SHA256SUMS` beside a file lists it."""
    return bool(_listed(path))


def _listed(path: Path) -> str:
    """Return the SHA-256 that `SHA256SUMS` lists for a file; empty if it lists none."""
    sums = path.parent / SUMS
    if not sums.is_file():
        return ""
    lines = [line.split(maxsplit=1) for line in sums.read_text(encoding="utf-8").splitlines()]
    # sha256sum puts a star before the names of files that it read as binary.
    by_name = {
        name.lstrip("*").strip(): digest for digest, name in (x for x in lines if len(x) == 2)
    }
    return by_name.get(path.name, "")
