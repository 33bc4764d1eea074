"""The help: every action is in it and in the docs, and it comes at once."""

from __future__ import annotations

import dataclasses
import runpy
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
import tyro

import unrolled
from unrolled.recipes import registry
from unrolled.recipes.recipe import Recipe
from unrolled.workshop.actions import ACTIONS, Action, find

from .command import Command

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_every_action_is_a_command_with_help(command: Command, action: Action) -> None:
    assert dataclasses.is_dataclass(action.request) and callable(action.run)
    assert find(action.name) is action
    top = command("--help").out
    assert action.name in top and action.summary in top
    said = command(*action.name.split(), "--help")
    assert said.code == 0 and said.out.startswith(f"usage: unrolled {action.name}")
    hints = get_type_hints(action.request, include_extras=True)
    for field in dataclasses.fields(action.request):
        positional = tyro.conf.Positional in getattr(hints[field.name], "__metadata__", ())
        # A group's options stand under their own names; those of train are its recipe's.
        if action.name != "train" and not positional and field.name != "sampling":
            assert f"--{field.name.replace('_', '-')}" in said.out
    assert command("help", *action.name.split()).out == said.out


@pytest.mark.parametrize("recipe", registry.names())
def test_every_option_of_a_recipe_is_in_its_help(command: Command, recipe: str) -> None:
    said = command("train", recipe, "--help").out
    assert f"{recipe} options" in said
    for field in dataclasses.fields(registry.find(recipe).Options):
        assert f"--{field.name.replace('_', '-')}" in said
    for flag in ("--name", "--from", "--runs"):
        assert flag in said
    assert "None)" not in said and "(default:)" not in " ".join(said.split())  # a default that says nothing is left out


def test_the_names_of_recipes_are_those_of_the_files_that_have_one() -> None:
    kept = {"char-lm", "hello", "min-char-rnn", "names", "adding", "who-is-he", "residual-depth"}
    helpers = {"answers", "language", "recipe", "registry"}  # what recipes share is none
    assert kept <= set(registry.names()) and not helpers & set(registry.names())
    assert registry.names() == sorted(registry.names())
    assert all(isinstance(recipe, Recipe) for recipe in registry.all_recipes().values())


def test_a_group_explains_itself(command: Command) -> None:
    assert "runs compare" in command("runs", "--help").out
    assert "data get" in command("data", "-h").out


def test_version_and_no_words(command: Command) -> None:
    assert command("--version").out == f"{unrolled.__version__}\n"
    assert command().out == command("--help").out


def test_the_page_of_commands_is_current() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "write-command-docs"))
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == written["page"](), (
        "docs/commands.md is not what --help prints now: run scripts/write-command-docs"
    )


def test_help_loads_nothing_that_takes_time() -> None:
    code = (
        "import sys; from unrolled.cli.main import main; main(['--help']);"
        "print([name for name in ('torch', 'numpy', 'tyro', 'rich', 'cattrs') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
