"""The native core without Python, under the sanitizers: csrc/tests/driver.cpp on random shapes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from unrolled.kernels import native_core

CSRC = Path(__file__).parents[2] / "csrc"
COMPILER = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
ARM_COMPILER = shutil.which("aarch64-linux-gnu-g++")
ARM_EMULATOR = next(filter(None, map(shutil.which, ("qemu-aarch64", "qemu-aarch64-static"))), None)

needs_a_compiler = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@needs_a_compiler
def test_where_there_is_a_compiler_the_core_was_built():
    assert native_core.is_built(), "`pip install -v -e .` says why the native core was not built"


@needs_a_compiler
def test_random_shapes_touch_no_memory_but_their_own(tmp_path):
    sources = [CSRC / "isa/kernels.cpp", CSRC / "dispatch.cpp", CSRC / "threads.cpp", CSRC / "tests/driver.cpp"]
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    flags = ["-std=c++17", "-O0", "-g1", "-Wno-psabi", "-DUNROLLED_SET=baseline", *sanitizers]
    run(COMPILER, *flags, *sources, "-o", tmp_path / "driver", "-ldl", "-pthread")
    said = run(tmp_path / "driver", "2", UNROLLED_ISA="baseline")
    assert int(re.fullmatch(r"baseline: (\d+) problems\n", said)[1]) > 10


@pytest.mark.slow
@pytest.mark.skipif(not (ARM_COMPILER and ARM_EMULATOR), reason="no compiler for 64-bit ARM, or no emulator of it")
def test_the_core_is_sound_on_arm(tmp_path):
    """NEON, emulated: the same threads, orders and oracles as elsewhere. Static: there need be no ARM library."""
    sources = [CSRC / "isa/kernels.cpp", CSRC / "dispatch.cpp", CSRC / "threads.cpp", CSRC / "tests/driver.cpp"]
    flags = ["-std=c++17", "-O1", "-Wno-psabi", "-DUNROLLED_SET=baseline", "-static"]
    run(ARM_COMPILER, *flags, *sources, "-o", tmp_path / "driver", "-pthread")
    said = run(ARM_EMULATOR, tmp_path / "driver", "10", UNROLLED_ISA="baseline")
    assert int(re.fullmatch(r"baseline: (\d+) problems\n", said)[1]) > 10


@pytest.mark.slow
@needs_a_compiler
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_every_instruction_set_is_clean(tmp_path, sanitizers):
    """Over 10⁵ random shapes and strides for each of the sanitizers, where all four sets are here."""
    if shutil.which("cmake") is None:
        pytest.skip("no cmake")
    run("cmake", "-S", CSRC.parent, "-B", tmp_path, f"-DUNROLLED_SANITIZE={sanitizers}")
    run("cmake", "--build", tmp_path, "--parallel", "2")
    for name in ("baseline", "avx2", "avx512", "avx512_bf16"):
        try:
            said = run(tmp_path / "driver", "30", "1", "26000", UNROLLED_ISA=name)
            assert int(re.fullmatch(rf"{name}: (\d+) problems\n", said)[1]) >= 26000
        except AssertionError as error:
            if "this machine has" not in str(error):
                raise
