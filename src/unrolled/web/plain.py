"""JSON as a browser reads it: a number that JSON has not is a word, as in figures."""

from __future__ import annotations

import json
import math
from typing import Any


def encode(value: Any) -> bytes:
    """`value` as JSON in UTF-8, on one line. NaN and the infinities are the words "NaN", "Infinity" and "-Infinity"."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
    except ValueError:
        return encode(_finite(value))


def decode(line: bytes | str) -> Any:
    """The value of a line of JSON as Python writes it. ValueError where it is none."""
    return json.loads(line, parse_constant=str)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return value
