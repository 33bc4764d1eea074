"""Studies by name: every file of this folder that has a `STUDY`, and `module:NAME` of someone's own."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from unrolled.errors import OptionError, did_you_mean
from unrolled.studies.study import Study


def names() -> list[str]:
    """Every study's name, in alphabetical order: read off the files, none of which is imported."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return [file.stem.replace("_", "-") for file in files if "\nSTUDY = Study(" in file.read_text(encoding="utf-8")]


def all_studies() -> dict[str, Study]:
    """Name → study, in alphabetical order. Imports no torch."""
    return {name: find(name) for name in names()}


def find(name: str) -> Study:
    """The study called `name`, or at `package.module:NAME`; OptionError with the nearest name."""
    if ":" in name:
        return _from_path(name)
    known = names()
    if name not in known:
        raise OptionError(f"no study is called {name!r}.{did_you_mean(name, known)} `unrolled studies` lists them all")
    return importlib.import_module(f"unrolled.studies.{name.replace('-', '_')}").STUDY


def plain_name(name: str) -> str:
    """What a study's folder and result are called: its name, or for `package.module:NAME` its module's last part."""
    return name.partition(":")[0].rpartition(".")[2].replace("_", "-")


def _from_path(path: str) -> Study:
    module_name, _, attribute = path.partition(":")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    try:
        found = getattr(importlib.import_module(module_name), attribute, None)
    except (ModuleNotFoundError, ValueError, TypeError) as error:
        raise OptionError(
            f"{path}: a study of your own is written package.module:NAME, and its module was not found on Python's "
            f"path ({error}); start from the folder that holds it"
        ) from error
    if not isinstance(found, Study):
        raise OptionError(f"{path}: {attribute!r} there must be an unrolled.studies.study.Study")
    return found
