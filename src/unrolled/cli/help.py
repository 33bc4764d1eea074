"""What `unrolled --help` prints: made from the lists of actions and recipes, of which none is loaded for it."""

from __future__ import annotations

from collections.abc import Sequence

from unrolled.recipes import registry
from unrolled.workshop.actions import ACTIONS, Action

#: What a command of two words means when only its first is given.
SHORT = {"runs": "runs list", "data": "data list"}


def top_help() -> str:
    """What Unrolled is, three commands to begin with, and all the others."""
    return "\n".join(
        [
            "Unrolled trains, opens up and runs recurrent networks.",
            "",
            "  unrolled train book.txt            learn a text (or a folder, or - for standard input)",
            "  unrolled train                     learn Python, from the standard library on this machine",
            "  unrolled sample --prompt 'Once'    write with the newest run",
            "",
            "Commands (each has its own --help):",
            *_lines(ACTIONS),
            "",
            f"Recipes for `unrolled train RECIPE`: {', '.join(registry.names())}",
            "",
            "--json before a command makes it print JSON lines; --version prints the version.",
        ]
    )


def group_help(first: str) -> str:
    """Help of the commands whose first of two words is `first`."""
    group = [action for action in ACTIONS if action.name.startswith(f"{first} ")]
    alone = "; the first goes without its word" if first in SHORT else ""
    return "\n".join(
        [
            f"unrolled {first}: one of these (each has its own --help{alone}).",
            "",
            *_lines(group),
        ]
    )


def _lines(actions: Sequence[Action]) -> list[str]:
    width = max(len(action.name) for action in actions)
    return [f"  {action.name:<{width}}   {action.summary}" for action in actions]
