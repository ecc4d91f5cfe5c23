"""Numbers as physicists write them."""

import math


def with_error(value: float, error: float) -> str:
    """Both to the error's first digit, or its second if it begins below 3.55: `0.891 ± 0.021`.

    The rule of the Particle Data Group (Review of Particle Physics, Introduction, section 5.3).
    """
    if not (math.isfinite(error) and error > 0):
        return short(value)
    power = math.floor(math.log10(error))
    digits = max(0, -power + (error < 3.55 * 10.0**power))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def short(value: float) -> str:
    """Two significant digits, with a power of ten where there would be many zeros: `2.2e-4`."""
    if 1e-3 <= abs(value) < 1e3 or value == 0 or not math.isfinite(value):
        return f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"
