"""Write times and sizes as people say them."""

from __future__ import annotations

SMALL = ((1.0, "s", 1), (1e-3, "ms", 1e3), (0.0, "µs", 1e6))
LARGE = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def duration(seconds: float) -> str:
    """Return a time such as `43 ms`, `5.2 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    if seconds <= 0:
        return "0 s"
    if seconds < 59.95:
        _, unit, factor = next(row for row in SMALL if seconds >= row[0])
        return f"{seconds * factor:.3g} {unit}" if seconds < 9.995 else f"{seconds:.1f} s"
    for least, unit, part, smaller in LARGE:
        parts = round(seconds / part)  # first, or it would say 60 s of a minute
        if parts * part >= least:
            whole, rest = divmod(parts, least // part)
            return f"{whole} {unit} {rest} {smaller}"
    raise AssertionError("a minute is the least of the table")


def size(count: float) -> str:
    """Return a number of bytes such as `512 B`, `1.5 KiB`, `12.3 GiB`."""
    for unit in BINARY[:-1]:  # three digits would round 1023.95 up to 1024
        if count < 1023.95:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:,.1f} {BINARY[-1]}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 sample`, `1,200 samples`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
