"""Round numbers with their errors, as physicists write them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

PLAIN = 1e-3, 1e5
"""Values from here to here are written without a power of ten."""
NO_INTERVAL = math.nan, math.nan


def with_error(value: float, below: float, above: float | None = None) -> str:
    """Return value and error to the error's first digit, or its second if it begins below 3.55.

    The rule of the Particle Data Group (Review of Particle Physics, Introduction, section 5.3):
    `0.891 ± 0.021`, `(2.4 ± 0.6)e-4`. With two errors, `below` and `above` the value, the smaller
    one decides the digits: `0.995 +0.002 -0.004`. Without a finite error the value alone.
    """
    above = below if above is None else above
    errors = [error for error in (below, above) if error > 0]
    if not errors or not all(map(math.isfinite, (value, below, above))):
        return short(value)
    # The power is the value's, also for its errors: `(2.4 ± 0.6)e-4`.
    power = _power(value)
    value, below, above = (number / 10.0**power for number in (value, below, above))
    digits = _digits(min(errors) / 10.0**power)
    lower, upper = f"{below:.{digits}f}", f"{above:.{digits}f}"
    error = f"± {lower}" if lower == upper else f"+{upper} -{lower}"
    text = f"{value:.{digits}f} {error}"
    return f"({text})e{power}" if power else text


def within(value: float, low: float, high: float) -> str:
    """Return a value that lies in the interval from `low` to `high`, as `with_error` writes it."""
    return with_error(value, value - low, high - value)


def short(value: float) -> str:
    """Return two significant digits, with a power of ten instead of many zeros: `2.2e-4`."""
    if 1e-3 <= abs(value) < 1e3 or value == 0 or not math.isfinite(value):
        return f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def interval(metrics: Mapping[str, Any], name: str) -> tuple[float, float]:
    """Return the 68 % interval of a metric, by what stands beside it; two NaN where nothing does.

    `<name>_low` and `<name>_high` are its ends, `<name>_error` a standard deviation.
    """
    value, error = _number(metrics.get(name)), _number(metrics.get(f"{name}_error"))
    low, high = (_number(metrics.get(f"{name}_{end}")) for end in ("low", "high"))
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    return (value - error, value + error) if math.isfinite(error) else NO_INTERVAL


def _number(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else math.nan


def _power(value: float) -> int:
    """Return the power of ten to take out of a value, where written plainly it had many zeros."""
    size = abs(value)
    return 0 if size == 0 or PLAIN[0] <= size < PLAIN[1] else math.floor(math.log10(size))


def _digits(error: float) -> int:
    """Return the decimal places for the rule of the Particle Data Group: see `with_error`."""
    power = math.floor(math.log10(error))
    return max(0, -power + (error < 3.55 * 10.0**power))
