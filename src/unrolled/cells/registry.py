"""Cells by name: those of this package, those that other packages announce, and `module:Class`."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import sys
from importlib.metadata import entry_points

import unrolled.cells
from unrolled.cells.cell import Cell
from unrolled.errors import OptionError, did_you_mean

#: Other packages announce a cell with an entry point of this group: `name = "package.module:Class"`.
ENTRY_POINTS = "unrolled.cells"


def built_in() -> dict[str, type[Cell]]:
    """Every cell of this package, by its NAME."""
    found: dict[str, type[Cell]] = {}
    for module_info in pkgutil.iter_modules(unrolled.cells.__path__):
        module = importlib.import_module(f"unrolled.cells.{module_info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if issubclass(cls, Cell) and not inspect.isabstract(cls) and cls.__module__ == module.__name__:
                found[cls.NAME] = cls
    return dict(sorted(found.items()))


def find(name: str) -> type[Cell]:
    """The cell class called `name`: a NAME of this package, an entry point, or `package.module:Class`.

    Only a name that a user typed comes here: opening a run does not import code that the run names (see workshop).
    Raises OptionError with the nearest name.
    """
    if ":" in name:
        return _from_path(name)
    cells = built_in()
    if name in cells:
        return cells[name]
    announced = {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
    if name in announced:
        return _from_path(announced[name])
    known = [*cells, *announced]
    raise OptionError(
        f"no cell is called {name!r}.{did_you_mean(name, known)} "
        f"Known: {', '.join(known)}; or give your own as package.module:Class"
    )


def _from_path(path: str) -> type[Cell]:
    module_name, _, class_name = path.partition(":")
    if not module_name or module_name.startswith(".") or not class_name:
        raise OptionError(f"--cell {path}: a cell of your own is written package.module:Class")
    here = os.getcwd()
    if here not in sys.path:
        # An installed command does not see the folder it was started in. Last, so that nothing there hides a library.
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise OptionError(
            f"--cell {path}: no module {error.name!r} on Python's path; "
            "start from the folder that holds it, or put that folder on PYTHONPATH"
        ) from error
    cls = getattr(module, class_name, None)
    if not (inspect.isclass(cls) and issubclass(cls, Cell) and not inspect.isabstract(cls)):
        raise OptionError(
            f"--cell {path}: {class_name!r} in {module.__file__} must be a subclass of unrolled.cells.cell.Cell "
            "that gives every method of the contract"
        )
    return cls
