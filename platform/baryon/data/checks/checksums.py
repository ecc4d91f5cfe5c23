"""SHA-256 of every file, compared with a `SHA256SUMS` that lies beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from baryon.data.checks.finding import Finding

SUMS = "SHA256SUMS"


def checksum(path: Path) -> str:
    """SHA-256 in hexadecimal, as `sha256sum` gives it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_findings(split: str, sums: Mapping[Path, str]) -> Iterable[Finding]:
    """Files that are not what their list says."""
    for path, found in sums.items():
        expected = _listed(path)
        if expected and expected != found:
            yield Finding(
                split,
                f"{path} has SHA-256 {found[:12]}..., but {path.parent / SUMS} says "
                f"{expected[:12]}...: fetch it again",
                refused=True,
            )


def _listed(path: Path) -> str:
    """What `SHA256SUMS` says of a file; empty if it says nothing."""
    sums = path.parent / SUMS
    if not sums.is_file():
        return ""
    lines = [line.split(maxsplit=1) for line in sums.read_text(encoding="utf-8").splitlines()]
    named = {name.lstrip("*").strip(): digest for digest, name in (x for x in lines if len(x) == 2)}
    return named.get(path.name, "")
