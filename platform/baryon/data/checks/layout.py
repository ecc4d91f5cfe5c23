"""The layout of chunks against the way they are read: whole samples, shuffled in a window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from baryon.data.checks.finding import Finding
from baryon.interfaces import StorageInfo, Table
from baryon.terminal.units import size

MIB = 2**20
SMALL_SAMPLE = 1024
"""Members with fewer bytes a sample, such as labels, cost nothing however they are stored."""
SMALL_CHUNK = 64 * 1024
"""Below this, finding and asking for a chunk costs more than decoding it."""


def layout_table(split_members: Mapping[str, Sequence[StorageInfo]]) -> Table:
    """One row for each split, member and way of storing it; files of one kind are counted."""
    alike: dict[tuple[object, ...], list[StorageInfo]] = {}
    for split, members in split_members.items():
        for one in members:
            kind = (split, one.member, one.shape[1:], one.dtype, one.chunk, one.filters)
            alike.setdefault((*kind, one.direct_read_blocker), []).append(one)
    rows = [_row(str(split), members) for (split, *_), members in alike.items()]
    columns = (
        "split", "member", "files", "sample", "chunk", "filters", "compressed by", "decoded by",
    )  # fmt: skip
    return Table(columns, rows, "How the members are stored")


def _row(split: str, members: Sequence[StorageInfo]) -> list[str | float]:
    one = members[0]
    stored = sum(member.stored_bytes for member in members)
    return [
        split,
        one.member,
        len(members),
        f"{one.shape[1:]} {one.dtype}",
        f"{one.chunk}, {size(one.chunk_bytes)}" if one.chunk else "in one piece",
        ", ".join(one.filters) or "none",
        sum(member.decoded_bytes for member in members) / max(1, stored),
        "one thread" if one.direct_read_blocker else "many threads",
    ]


def layout_findings(
    split: str, members: Sequence[StorageInfo], window_mib: float
) -> Iterator[Finding]:
    """What makes reading slow or the shuffle poor."""
    told: set[tuple[str, str]] = set()
    for one in members:
        if one.sample_bytes < SMALL_SAMPLE or not one.chunk:
            continue
        for text in _faults(one, window_mib):
            if (one.member, text) not in told:  # many files of one kind are told of once
                told.add((one.member, text))
                yield Finding(split, f"{one.path}: member {one.member!r} {text}")


def _faults(one: StorageInfo, window_mib: float) -> Iterator[str]:
    chunk = one.chunk or ()
    if chunk[1:] != one.shape[1:]:
        yield (
            f"has chunks of {chunk}, which hold samples of {one.shape[1:]} in pieces: "
            "`baryon data repack` makes whole ones"
        )
    if one.chunk_bytes > window_mib * MIB:
        yield (
            f"has chunks of {size(one.chunk_bytes)}, more than data.window_mib="
            f"{window_mib:g}: nothing but one chunk is mixed; `baryon data repack` makes smaller "
            "ones"
        )
    if one.chunk_bytes < SMALL_CHUNK and one.sample_bytes < one.chunk_bytes:
        yield (
            f"has chunks of {size(one.chunk_bytes)}, so small that finding them takes "
            "longer than decoding: `baryon data repack` makes larger ones"
        )
    if one.direct_read_blocker:
        yield (
            f"is read by one thread at a time, because {one.direct_read_blocker}: `baryon data "
            "repack` helps, or data.processes=<N>"
        )
