"""Times and sizes are said as people say them, at the borders as well."""

import pytest

from baryon.terminal.units import counted, duration, size


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (4.3e-5, "43 µs"),
        (0.0431, "43.1 ms"),
        (1, "1 s"),
        (5.234, "5.23 s"),
        (43.21, "43.2 s"),
        (59.97, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3599.7, "1 h 0 min"),
        (12000, "3 h 20 min"),
        (86399, "1 d 0 h"),
        (187200, "2 d 4 h"),
    ],
)
def test_duration(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (2**20 - 1, "1 MiB"),
        (250 * 2**20, "250 MiB"),
        (12.34 * 2**30, "12.3 GiB"),
        (3 * 2**50, "3.0 PiB"),
    ],
)
def test_size(count, said):
    assert size(count) == said


def test_a_noun_agrees_with_its_number():
    assert [counted(number, "sample") for number in (0, 1, 1200)] == [
        "0 samples", "1 sample", "1,200 samples",
    ]  # fmt: skip
