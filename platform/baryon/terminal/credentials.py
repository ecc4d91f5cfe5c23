"""Take passwords and tokens out of addresses before these are written down or shown.

Runs are shared: what a config, a command line, a report or a warning records must not open a
server. An address in use keeps them, in memory alone.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

T = TypeVar("T")

USER = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?:[^\s/?#'\"<>]*@|[^\s/?#'\"<>:@]+:(?!\d+/)[^\s'\"<>@]*@)",
    re.IGNORECASE,
)
"""`http://name:secret@host`: what stands before the last @ of the authority (RFC 3986, 3.2.1); and
passwords that hold a slash, which ought to be written as %2F."""
QUERY = re.compile(
    r"(?P<name>[?&;#](?:[\w.-]*[_.-])?(?:access_?key|api_?key|auth|authorization|code|credential|"
    r"key|passw(?:or)?d|pwd|secret|sig|signature|token|access_?token)=)[^&;#\s'\"<>]+",
    re.IGNORECASE,
)
"""`?access_token=...`, `&X-Amz-Signature=...`, and their like."""
HIDDEN = "***"


def strip_credentials(text: str) -> str:
    """The text with the user and password of every address left out, and tokens hidden."""
    # The patterns are slow, and nearly no text holds an address.
    if "://" not in text:
        return text
    return QUERY.sub(rf"\g<name>{HIDDEN}", USER.sub(r"\g<scheme>", text))


def without_credentials(values: T) -> T:
    """Plain data with each text so treated."""
    cleaned: Any = values
    if isinstance(values, str):
        cleaned = strip_credentials(values)
    elif isinstance(values, dict):
        cleaned = {key: without_credentials(value) for key, value in values.items()}
    elif isinstance(values, list):
        cleaned = [without_credentials(value) for value in values]
    return cleaned  # type: ignore[no-any-return]
