"""Compare the layout of chunks with how they are read: whole samples, shuffled in a window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from baryon.data.checks.finding import Finding
from baryon.interfaces import StorageInfo, Table
from baryon.terminal.units import counted, size

MIB = 2**20
SMALL_SAMPLE = 1024
"""Bytes of a sample below which a member, such as a label, costs nothing however it is stored."""
SMALL_CHUNK = 64 * 1024
"""Bytes of a chunk below which finding and requesting it costs more than decoding it."""


def layout_table(members_by_split: Mapping[str, Sequence[StorageInfo]]) -> Table:
    """Return a table with a row for each member and way of storing it, a column for each split."""
    alike: dict[tuple[object, ...], dict[str, list[StorageInfo]]] = {}
    for split, members in members_by_split.items():
        for info in members:
            layout = (info.member, info.shape[1:], info.dtype, info.chunk, info.filters)
            by_split = alike.setdefault((*layout, info.direct_read_blocker), {})
            by_split.setdefault(split, []).append(info)
    rows = [
        [
            *_layout(next(iter(by_split.values()))[0]),
            *(_files(by_split.get(split, ())) for split in members_by_split),
        ]
        for by_split in alike.values()
    ]
    columns = ("member", "sample", "chunk", "filters", "decoded by", *members_by_split)
    caption = "How the members are stored: files, and how much smaller compression makes them"
    return Table(columns, rows, caption)


def _layout(info: StorageInfo) -> list[str]:
    return [
        info.member,
        f"{info.shape[1:]} {info.dtype}" if info.shape[1:] else f"a number, {info.dtype}",
        f"{info.chunk}, {size(info.chunk_bytes)}" if info.chunk else "not chunked",
        ", ".join(info.filters) or "none",
        "one thread" if info.direct_read_blocker else "many threads",
    ]


def _files(members: Sequence[StorageInfo]) -> str:
    """Return number and compression of the files of a split that are stored alike."""
    if not members:
        return "-"
    stored = sum(member.stored_bytes for member in members)
    ratio = sum(member.decoded_bytes for member in members) / max(1, stored)
    smaller = f", {ratio:.3g} times" if members[0].filters else ""
    return counted(len(members), "file") + smaller


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
