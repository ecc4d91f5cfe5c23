"""Damaged copies of a file: flips, overwrites, truncations, deletions, insertions, from a seed."""

import random
from collections.abc import Callable, Iterator

LONGEST = 64
"""Bytes that are overwritten, deleted or inserted at a time, at most."""
TELLING = (0x00, 0x01, 0x7F, 0x80, 0xFF)
"""Bytes that make sizes, counts, addresses and signs extreme."""

Damage = Callable[[bytearray, random.Random], str]
"""Damages the bytes in place and says how."""


def mutants(source: bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` damaged copies of `source`, each with what was done to it.

    The kinds of damage take turns, so that every one has its share of a small count. The same
    source, count and seed give the same mutants everywhere.
    """
    chance = random.Random(f"{seed}")  # noqa: S311  damage, not secrets
    for number in range(count):
        damaged = bytearray(source)
        description = DAMAGES[number % len(DAMAGES)](damaged, chance)
        yield description, bytes(damaged)


def flip_bit(damaged: bytearray, chance: random.Random) -> str:
    """Turn one bit over."""
    place, bit = chance.randrange(len(damaged)), chance.randrange(8)
    damaged[place] ^= 1 << bit
    return f"bit {bit} of byte {place} flipped"


def set_byte(damaged: bytearray, chance: random.Random) -> str:
    """Give one byte a telling value."""
    place, value = chance.randrange(len(damaged)), chance.choice(TELLING)
    damaged[place] = value
    return f"byte {place} set to {value:#04x}"


def overwrite(damaged: bytearray, chance: random.Random) -> str:
    """Fill a stretch with one telling value, or with noise."""
    start, length = _stretch(damaged, chance)
    value = chance.choice((None, *TELLING))
    noise = chance.randbytes(length)
    damaged[start : start + length] = noise if value is None else bytes([value]) * length
    what = "noise" if value is None else f"{value:#04x}"
    return f"{length} bytes from {start} overwritten by {what}"


def truncate(damaged: bytearray, chance: random.Random) -> str:
    """Cut the file off."""
    length = chance.randrange(len(damaged))
    del damaged[length:]
    return f"truncated to {length} bytes"


def delete(damaged: bytearray, chance: random.Random) -> str:
    """Take a stretch out; what follows moves up."""
    start, length = _stretch(damaged, chance)
    del damaged[start : start + length]
    return f"{length} bytes from {start} deleted"


def insert(damaged: bytearray, chance: random.Random) -> str:
    """Put noise in; what follows moves down."""
    start, length = _stretch(damaged, chance)
    damaged[start:start] = chance.randbytes(length)
    return f"{length} bytes inserted at {start}"


def repeat(damaged: bytearray, chance: random.Random) -> str:
    """Copy a stretch over another place: a block that was written where it does not belong."""
    (source, length), (target, _) = _stretch(damaged, chance), _stretch(damaged, chance)
    damaged[target : target + length] = damaged[source : source + length]
    return f"{length} bytes from {source} copied to {target}"


DAMAGES: tuple[Damage, ...] = (
    flip_bit,
    truncate,
    delete,
    set_byte,
    insert,
    overwrite,
    repeat,
)


def _stretch(damaged: bytearray, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(damaged))
    return start, min(chance.randint(1, LONGEST), len(damaged) - start)
