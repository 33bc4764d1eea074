"""The description of a machine, against what CPUs of known kinds say of themselves."""

from __future__ import annotations

import os

import pytest

from unrolled.workshop import machine


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({"sse2", "avx2", "avx512f", "avx512_bf16", "avx512_vnni"}, "AVX-512 BF16 VNNI"),
        ({"avx2", "fma"}, "AVX2"),
        ({"avx512f", "avx2", "avx512_bf16", "amx_bf16"}, "AVX-512 BF16 AMX"),
        ({"asimd", "bf16"}, "NEON BF16"),
        (set(), ""),
    ],
)
def test_instructions_from_the_flags(flags: set[str], name: str) -> None:
    assert machine.instructions(frozenset(flags)) == name


def test_cores_are_those_that_this_process_may_use() -> None:
    assert machine.cores() == int(machine.describe()["cores"])
    if not hasattr(os, "sched_setaffinity"):
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert machine.cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_what_is_not_known_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: "")
    assert "memory" not in machine.describe()
    assert all(machine.describe().values())
