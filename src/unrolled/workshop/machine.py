"""What machine this is, in words that name no place or person: for `doctor` and for results."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from unrolled.training.hardware import cpu_flags

#: What decides how fast products are, the widest first: the CPU flag, and its name for a person.
INSTRUCTION_SETS = (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("sve", "SVE"), ("asimd", "NEON"))
#: Hardware products of narrow types, named beside the instruction set.
NARROW_PRODUCTS = (("avx512_bf16", "BF16"), ("amx_bf16", "AMX"), ("bf16", "BF16"), ("avx512_vnni", "VNNI"))


def describe() -> dict[str, str]:
    """processor, instructions, cores, memory, system; what the system does not tell is left out."""
    found = {
        "processor": processor(),
        "instructions": instructions(cpu_flags()),
        "cores": str(cores()),
        "memory": memory(),
        "system": f"{platform.system()} {platform.machine()}".strip(),
    }
    return {name: value for name, value in found.items() if value}


def cores() -> int:
    """Those that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The CPU's name as Linux tells it, else as Python does; may be empty."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def instructions(flags: frozenset[str]) -> str:
    """ "AVX-512 BF16 VNNI" out of the CPU's flags; empty where they say nothing."""
    widest = next((name for flag, name in INSTRUCTION_SETS if flag in flags), "")
    narrow = dict.fromkeys(name for flag, name in NARROW_PRODUCTS if flag in flags)
    return " ".join(filter(None, (widest, *narrow)))


def memory() -> str:
    """ "23 GiB", to the nearest; empty where the system does not tell."""
    if not {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= os.sysconf_names.keys():
        return ""
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
