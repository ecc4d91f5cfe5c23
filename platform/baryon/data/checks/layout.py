"""Compare the layout of chunks with how they are read: whole samples, shuffled in a window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from baryon.data.checks.finding import Finding
from baryon.interfaces import StorageInfo, Table
from baryon.terminal.units import size

MIB = 2**20
SMALL_SAMPLE = 1024
"""Bytes of a sample below which a member, such as a label, costs nothing however it is stored."""
SMALL_CHUNK = 64 * 1024
"""Bytes of a chunk below which finding and requesting it costs more than decoding it."""


def layout_table(members_by_split: Mapping[str, Sequence[StorageInfo]]) -> Table:
    """Return a table with a row for each split, member and way of storing it."""
    alike: dict[tuple[object, ...], list[StorageInfo]] = {}
    for split, members in members_by_split.items():
        for info in members:
            layout = (split, info.member, info.shape[1:], info.dtype, info.chunk, info.filters)
            alike.setdefault((*layout, info.direct_read_blocker), []).append(info)
    rows = [_row(str(split), members) for (split, *_), members in alike.items()]
    columns = (
        "split", "member", "files", "sample", "chunk", "filters", "compressed by", "decoded by",
    )  # fmt: skip
    return Table(columns, rows, "How the members are stored")


def _row(split: str, members: Sequence[StorageInfo]) -> list[str | float]:
    info = members[0]  # the files of a row are stored alike
    stored = sum(member.stored_bytes for member in members)
    return [
        split,
        info.member,
        len(members),
        f"{info.shape[1:]} {info.dtype}",
        f"{info.chunk}, {size(info.chunk_bytes)}" if info.chunk else "in one piece",
        ", ".join(info.filters) or "none",
        sum(member.decoded_bytes for member in members) / max(1, stored),
        "one thread" if info.direct_read_blocker else "many threads",
    ]


def layout_findings(
    split: str, members: Sequence[StorageInfo], window_mib: float
) -> Iterator[Finding]:
    """Find what makes reading slow or the shuffle poor."""
    reported: set[tuple[str, str]] = set()
    for info in members:
        if info.sample_bytes < SMALL_SAMPLE or not info.chunk:
            continue
        for text in _faults(info, window_mib):
            if (info.member, text) not in reported:  # many files of one kind are reported once
                reported.add((info.member, text))
                yield Finding(split, f"{info.path}: member {info.member!r} {text}")


def _faults(info: StorageInfo, window_mib: float) -> Iterator[str]:
    chunk = info.chunk or ()
    if chunk[1:] != info.shape[1:]:
        yield (
            f"has chunks of {chunk}, which hold samples of {info.shape[1:]} in pieces: "
            "`baryon data repack` makes whole ones"
        )
    if info.chunk_bytes > window_mib * MIB:
        yield (
            f"has chunks of {size(info.chunk_bytes)}, more than data.window_mib="
            f"{window_mib:g}: nothing but one chunk is mixed; `baryon data repack` makes smaller "
            "ones"
        )
    if info.chunk_bytes < SMALL_CHUNK and info.sample_bytes < info.chunk_bytes:
        yield (
            f"has chunks of {size(info.chunk_bytes)}, so small that finding them takes "
            "longer than decoding: `baryon data repack` makes larger ones"
        )
    if info.direct_read_blocker:
        yield (
            f"is read by one thread at a time, because {info.direct_read_blocker}: `baryon data "
            "repack` helps, or data.processes=<N>"
        )
