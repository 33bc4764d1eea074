"""Cells by name: the package's own, and anyone's."""

from __future__ import annotations

import inspect
import pkgutil
import sys
from importlib import import_module

import pytest

import unrolled.cells
from unrolled.cells import registry
from unrolled.cells.cell import Cell
from unrolled.cells.gru import GRU, ResetBeforeGRU
from unrolled.errors import OptionError

OUTSIDE = """
from unrolled.cells.gru import GRU

class Mine(GRU):
    pass

class NotACell:
    pass
"""


def test_every_cell_has_a_name_of_its_own_and_none_is_lost():
    classes = {
        cls
        for info in pkgutil.iter_modules(unrolled.cells.__path__)
        for _, cls in inspect.getmembers(import_module(f"unrolled.cells.{info.name}"), inspect.isclass)
        if issubclass(cls, Cell) and not inspect.isabstract(cls)
    }
    assert set(registry.built_in().values()) == classes
    for name, cls in registry.built_in().items():
        assert name == cls.NAME
        assert name == name.lower() and "_" not in name and name
        assert registry.find(name) is cls


def test_the_nearest_name_is_offered():
    with pytest.raises(OptionError, match=r"no cell is called 'gur'\. Did you mean 'gru'"):
        registry.find("gur")
    with pytest.raises(OptionError, match=r"package\.module:Class"):
        registry.find("zzz")


def test_a_cell_in_the_folder_one_stands_in_is_found(tmp_path, monkeypatch):
    (tmp_path / "outside_cell.py").write_text(OUTSIDE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    cls = registry.find("outside_cell:Mine")
    assert issubclass(cls, GRU)
    with pytest.raises(OptionError, match=r"'NotACell' in .*outside_cell\.py must be a subclass"):
        registry.find("outside_cell:NotACell")
    with pytest.raises(OptionError, match="'Absent' in"):
        registry.find("outside_cell:Absent")


@pytest.mark.parametrize("path", [":GRU", "outside_cell:", ".relative:GRU", ":"])
def test_half_a_path_is_refused(path):
    with pytest.raises(OptionError, match=r"is written package\.module:Class"):
        registry.find(path)


def test_a_module_that_is_nowhere_is_named():
    with pytest.raises(OptionError, match="no module 'nowhere_at_all' on Python's path"):
        registry.find("nowhere_at_all:Cell")


def test_an_abstract_class_is_no_cell():
    with pytest.raises(OptionError, match="must be a subclass"):
        registry.find("unrolled.cells.cell:Cell")


def test_an_announced_cell_is_found_by_its_name(monkeypatch):
    class Point:
        name, value = "my-gru", "unrolled.cells.gru:ResetBeforeGRU"

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point] if group == "unrolled.cells" else [])
    assert registry.find("my-gru") is ResetBeforeGRU
    with pytest.raises(OptionError, match="'my-gru'"):
        registry.find("my-gr")


@pytest.mark.parametrize("name", registry.built_in())
def test_a_cell_is_read_in_one_go(name: str) -> None:
    """A class with its docstring and its equations stays below 150 lines."""
    assert len(inspect.getsource(registry.built_in()[name]).splitlines()) < 150
