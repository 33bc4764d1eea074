"""Builds the native core (CMakeLists.txt, csrc/) into the package, where there is a C++ compiler.

Without one, or where it fails, the installation goes on without the core: everything works with the other kernels, and
`unrolled doctor` says what is lost. In an editable installation the module lies in src/unrolled/kernels, so that no
finder stands between Python and the source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "_native"
FOLDER = Path("unrolled", "kernels")


def compiler() -> str | None:
    """The C++ compiler: what CXX names, or the first there is."""
    return next(filter(None, map(shutil.which, filter(None, (os.environ.get("CXX"), "c++", "g++", "clang++")))), None)


class NativeCore(BuildHookInterface):
    """The hook that hatchling calls."""

    def dependencies(self) -> list[str]:
        """What a build with a compiler needs beside it."""
        if compiler() is None:
            return []
        tools = {"cmake": "cmake>=3.18", "ninja": "ninja>=1.11"}
        return ["nanobind>=2.9", *(package for tool, package in tools.items() if shutil.which(tool) is None)]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and put the module into the wheel, or into the source tree of an editable installation."""
        source = Path(self.root)
        for old in (source / "src" / FOLDER).glob(f"{MODULE}.*"):
            if version == "editable":
                old.unlink()  # an older core may not fit the source that calls it
        if compiler() is None:
            self.app.display_warning("There is no C++ compiler: unrolled is installed without its native core.")
            return
        # Where it is built must outlive this call, for what goes into a wheel is read after it.
        self.place = tempfile.TemporaryDirectory(prefix="unrolled-native-")
        try:
            built = self._build(source, Path(self.place.name))
        except subprocess.CalledProcessError as error:
            said = "\n".join(error.stdout.splitlines()[-40:])
            self.app.display_warning(f"The native core failed to build; unrolled is installed without it:\n{said}")
            return
        if version == "editable":
            # Put there in one move: running programs may have the old one open.
            target = source / "src" / FOLDER / built.name
            shutil.copy(built, target.with_suffix(".new"))
            os.replace(target.with_suffix(".new"), target)
            return
        build_data["force_include"][str(built)] = str(FOLDER / built.name)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def _build(self, source: Path, place: Path) -> Path:
        import nanobind

        configure = ["cmake", "-S", source, "-B", place / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"]
        configure += [f"-DPython_EXECUTABLE={sys.executable}", f"-Dnanobind_DIR={nanobind.cmake_dir()}"]
        for command in (
            configure,
            ["cmake", "--build", place / "build"],
            ["cmake", "--install", place / "build", "--prefix", place / "tree"],
        ):
            subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        (built,) = (place / "tree" / FOLDER).glob(f"{MODULE}.*")
        return built
