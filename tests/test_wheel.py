"""The wheel that is built from the source: whole, and alive in an environment that has never seen the source."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: What a build reads beside the package itself.
BUILD = ("pyproject.toml", "hatch_build.py", "CMakeLists.txt", "README.md", "LICENSE")
TEXT = "the quick brown fox jumps over the lazy dog. " * 60


def run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def package_files(package: Path) -> set[str]:
    """What belongs to the package, but for what was built or compiled beside it."""
    files = (path for path in package.rglob("*") if path.is_file())
    return {
        path.relative_to(package.parent).as_posix()
        for path in files
        if "__pycache__" not in path.parts and not path.name.startswith("_native.")
    }


@pytest.mark.slow
def test_a_wheel_runs_in_an_environment_that_has_never_seen_the_source(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "_native.*"))
    shutil.copytree(ROOT / "csrc", source / "csrc")
    for name in BUILD:
        shutil.copy(ROOT / name, source / name)
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(source)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("unrolled-*.whl")
    with zipfile.ZipFile(wheel) as inside:
        names = {name for name in inside.namelist() if ".dist-info/" not in name}
    core = {name for name in names if Path(name).name.startswith("_native.")}
    assert names - core == package_files(source / "src" / "unrolled")

    # The dependencies come from this environment: as a folder that is named, its own .pth files, the one that leads to
    # the source among them, are not read.
    venv.create(tmp_path / "fresh", symlinks=True)
    commands = tmp_path / "fresh" / "bin"
    (site,) = (tmp_path / "fresh" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    run(sys.executable, "-m", "pip", "--python", commands / "python", "install", "--no-deps", wheel, folder=tmp_path)
    where = run(commands / "python", "-c", "import unrolled; print(unrolled.__file__)", folder=tmp_path)
    assert where.strip() == str(site / "unrolled" / "__init__.py")
    doctor = run(commands / "unrolled", "doctor", folder=tmp_path)
    assert ("native core: built" in doctor) == bool(core)
    if shutil.which("c++") or shutil.which("g++"):
        assert len(core) == 1 and not wheel.name.endswith("-none-any.whl"), built.stdout
    else:
        assert not core and wheel.name.endswith("-none-any.whl")

    (tmp_path / "fox.txt").write_text(TEXT)
    options = ("--steps", "3", "--sizes", "16", "--batch-size", "4", "--window", "16", "--split", "1", "0", "0")
    run(commands / "unrolled", "train", "fox.txt", "--name", "fox", *options, folder=tmp_path)
    written = run(commands / "unrolled", "sample", "fox", "--length", "40", folder=tmp_path)
    assert len(written.strip("\n")) > 20
