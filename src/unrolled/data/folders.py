"""Where this user's downloaded and encoded data are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`UNROLLED_CACHE`, else `unrolled` in the XDG cache folder, else `~/.cache/unrolled`. It need not exist yet."""
    if own := os.environ.get("UNROLLED_CACHE"):
        return Path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "unrolled"
    return Path.home() / ".cache" / "unrolled"
