import math

import pytest

from baryon.terminal.rounding import interval, short, with_error, within


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.89123, 0.0211, "0.891 ± 0.021"),
        (0.89123, 0.0711, "0.89 ± 0.07"),
        (0.9999012, 0.0000083, "0.999901 ± 0.000008"),
        (1.88, 0.05, "1.88 ± 0.05"),
        (1234.5, 120.0, "1234 ± 120"),
        (2.412e-4, 0.6e-4, "(2.4 ± 0.6)e-4"),
        (2.512e7, 1.3e6, "(2.51 ± 0.13)e7"),
        (0.5, math.nan, "0.5"),
        (1.0, 0.0, "1"),
        (math.nan, 0.1, "nan"),
    ],
)
def test_value_with_error(value, error, text):
    assert with_error(value, error) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.9952, 0.9911, 0.9974, "0.9952 +0.0022 -0.0041"),
        (1.68, 1.53, 1.75, "1.68 +0.07 -0.15"),
        (2.5e-5, 1.5e-5, 6.2e-5, "(2.5 +3.7 -1.0)e-5"),
        (0.5, 0.48, 0.521, "0.500 +0.021 -0.020"),
        (0.5, 0.4799, 0.5201, "0.500 ± 0.020"),
        (0.0, 0.0, 0.02, "0.000 +0.020 -0.000"),
    ],
)
def test_value_in_an_asymmetric_interval(value, low, high, text):
    assert within(value, low, high) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.2e-4, "2.2e-4"), (0.0031, "0.0031"), (5123.0, "5.1e3"), (321.4, "321"), (0, "0"), (1, "1")],
)
def test_short(value, text):
    assert short(value) == text


@pytest.mark.parametrize(
    ("beside", "ends"),
    [
        ({"x_error": 0.25}, (0.75, 1.25)),
        ({"x_low": 0.5, "x_high": 3.0, "x_error": 0.25}, (0.5, 3.0)),
        ({}, (math.nan, math.nan)),
        ({"x_low": None, "x_high": "a", "x_error": None}, (math.nan, math.nan)),
    ],
)
def test_interval_of_a_metric_stands_beside_it(beside, ends):
    assert interval({"x": 1.0, **beside}, "x") == pytest.approx(ends, nan_ok=True)
