"""Join templates, styles and scripts into one file that works offline."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import time
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon import __version__
from baryon.runs.record import LARGEST_FIGURE
from baryon.system.plain_data import read_bytes
from baryon.terminal.cells import cell, numeric
from baryon.terminal.units import duration

if TYPE_CHECKING:
    from jinja2 import Environment

LARGEST_INTEGER = 2**53  # that a browser can hold exactly, which counts in floats
SCRIPTS = ("chart.js", "parallel.js", "tables.js", "page.js")


def render(
    template: str, data: Mapping[str, Any], *, going: bool = False, tag: str = "", **values: Any
) -> str:
    """Render the page of a template and its variables `values`.

    `data` holds what the page's scripts draw, under the keys "charts" and "parallel". `going` says
    whether what the page shows still goes on; `tag` names its state where it is served live.
    """
    # The page's policy (CSP) names its script by hash and allows no connection: a run's name, a
    # caption or an error can hold anything, but nothing of it can run or call home.
    return (
        environment()
        .get_template(f"page/{template}")
        .render(
            style=_source("style.css"),
            script=_script(),
            script_hash=_hash(_script()),
            data=_embedded(data),
            going=going,
            tag=tag,
            version=__version__,
            made=time.strftime("%Y-%m-%d %H:%M"),
            **values,
        )
    )


@cache
def environment() -> Environment:
    """Return the templates, with filters that write numbers, times and values."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Names, captions and errors come from others: every value is escaped. A misspelt variable is an
    # error, where Jinja would leave an empty place.
    templates = Environment(
        loader=PackageLoader("baryon.report", "."), autoescape=True, undefined=StrictUndefined
    )
    templates.filters |= {
        "cell": cell,
        "duration": duration,
        "numeric": numeric,
        "plain": plain,
        "width": width,
    }
    return templates


def plain(value: object) -> str:
    """Write a value as it would be given on the command line."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def width(share: object) -> str:
    """Return a share such as `12.5%` as the length of a bar; 0% for any other text."""
    text = str(share)
    # It goes into a style attribute, where escaping as HTML does not keep other rules out.
    return text if re.fullmatch(r"\d{1,3}(\.\d{1,6})?%", text) else "0%"


def flops(tflops: float) -> tuple[str, str]:
    """Write a rate given in TFLOP/s: the number, and the unit that suits it."""
    for unit, factor in (("PFLOP/s", 1e-3), ("TFLOP/s", 1.0), ("GFLOP/s", 1e3)):
        if tflops * factor >= 1:
            return f"{tflops * factor:.3g}", unit
    return f"{tflops * 1e6:.3g}", "MFLOP/s"


def picture(path: Path, caption: str) -> dict[str, str]:
    """Return a PNG file as a picture inside the page."""
    return picture_of(read_bytes(path, LARGEST_FIGURE), caption)


def picture_of(png: bytes, caption: str) -> dict[str, str]:
    """Return the bytes of a PNG as a picture inside the page."""
    data = base64.b64encode(png).decode()
    return {"source": f"data:image/png;base64,{data}", "caption": caption}


def _embedded(data: Mapping[str, Any]) -> Any:
    """Write JSON that cannot end the script element it lies in."""
    from markupsafe import Markup

    text = json.dumps(finite(data), separators=(",", ":"), default=str)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704  nothing in it can be markup


def finite(value: Any) -> Any:
    """Return values as a browser can hold them: None for NaN, floats for huge integers."""
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return float(value)
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    # JSON has no NaN: Python would write a word at which the browser refuses the whole of the data.
    return None if isinstance(value, float) and not math.isfinite(value) else value


@cache
def _script() -> Any:
    from markupsafe import Markup

    return Markup("\n".join(_source(name) for name in SCRIPTS))  # noqa: S704  our own files


def _hash(script: str) -> str:
    """Return the hash by which the page's policy allows its own script and no other."""
    digest = hashlib.sha256(str(script).encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


@cache
def _source(name: str) -> Any:
    from markupsafe import Markup

    file = resources.files("baryon.report.page") / name
    return Markup(file.read_text(encoding="utf-8"))  # noqa: S704  our own files
