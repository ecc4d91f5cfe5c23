import math

import pytest

from baryon_hep.evaluator.rounding import short, with_error


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.89123, 0.0211, "0.891 ± 0.021"),
        (0.89123, 0.0711, "0.89 ± 0.07"),
        (0.9999012, 0.0000083, "0.999901 ± 0.000008"),
        (1.88, 0.05, "1.88 ± 0.05"),
        (1234.5, 120.0, "1234 ± 120"),
        (0.5, math.nan, "0.5"),
        (1.0, 0.0, "1"),
    ],
)
def test_value_with_error(value, error, text):
    assert with_error(value, error) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.2e-4, "2.2e-4"), (0.0031, "0.0031"), (5123.0, "5.1e3"), (321.4, "321"), (0, "0"), (1, "1")],
)
def test_short(value, text):
    assert short(value) == text
