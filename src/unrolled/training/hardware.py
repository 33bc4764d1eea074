"""What the machine can do, as far as a recipe's defaults depend on it."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Literal

#: CPU flags that mean products of bfloat16 in hardware (x86: AVX-512 BF16 or AMX; ARM: BF16).
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def cpu_flags() -> frozenset[str]:
    """The first core's flags as Linux tells them; empty elsewhere."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return frozenset()
    for line in info.read_text(errors="replace").splitlines():
        if line.lower().startswith(("flags", "features")):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def automatic_dtype(device: str) -> Literal["float32", "bfloat16"]:
    """What `--dtype auto` means: bfloat16 products where they are fast, which a GPU and some CPUs make them."""
    return "bfloat16" if device.startswith("cuda") or cpu_flags() & BFLOAT16_FLAGS else "float32"


#: mallopt's numbers in glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> None:
    """Let the C library keep large blocks that are freed, for the next window to use again.

    By default glibc gives every block above some size back to the system at once, and the next window pays for each
    page of it anew: a third of the time of an update, on the machine where this was seen. Does nothing elsewhere.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return
    library.mallopt(_MMAP_THRESHOLD, 1 << 30)
    library.mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
    library.mallopt(_TOP_PAD, 64 << 20)
