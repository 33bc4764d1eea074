"""From words on a command line to an action and its request."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import tyro

from unrolled.errors import OptionError, did_you_mean
from unrolled.recipes import registry
from unrolled.workshop.actions import ACTIONS, Action
from unrolled.workshop.train import TrainRequest, parent_options, read_word

#: What a command of two words means when only its first is given.
SHORT = {"runs": "runs list", "data": "data list"}


def split_command(words: Sequence[str]) -> tuple[Action, list[str]]:
    """The action that the first word or two name, and the rest. OptionError with the nearest name."""
    by_name = {action.name: action for action in ACTIONS}
    if " ".join(words[:2]) in by_name:
        return by_name[" ".join(words[:2])], list(words[2:])
    if words[0] in by_name:
        return by_name[words[0]], list(words[1:])
    if words[0] in SHORT:
        seconds = [name.split()[1] for name in by_name if name.startswith(f"{words[0]} ")]
        if len(words) > 1 and not words[1].startswith("-"):
            raise OptionError(
                f"unrolled {words[0]} {words[1]}: expected {', '.join(seconds)}.{did_you_mean(words[1], seconds)}"
            )
        return by_name[SHORT[words[0]]], list(words[1:])
    known = sorted({name.split()[0] for name in by_name})
    raise OptionError(f"no command is called {words[0]!r}.{did_you_mean(words[0], known)} Known: {', '.join(known)}")


def parse(action: Action, words: list[str]) -> Any:
    """The request. `--help` prints the options and exits; a mistake is an OptionError of one line."""
    if action.request is TrainRequest:
        return _parse_train(words)
    return _parse(action.request, words, f"unrolled {action.name}", action.summary)


def _parse_train(words: list[str]) -> TrainRequest:
    word = words.pop(0) if words and (words[0] == "-" or not words[0].startswith("-")) else ""
    if word == "" and "--help" in words:
        recipe_name, data = "char-lm", ""
    else:
        recipe_name, data = read_word(word)
    recipe = registry.find(recipe_name)
    if data:
        words = ["--data", data, *words]
    prog = f"unrolled train {word or recipe_name}"
    request = _train_request(recipe_name, recipe.Options())
    parsed = _parse(request, words, prog, recipe.summary)
    if parsed.from_run:
        # Read again, with the parent's options where none are given.
        defaults = parent_options(parsed.from_run, parsed.runs, recipe_name)
        parsed = _parse(_train_request(recipe_name, defaults), words, prog, recipe.summary)
    return TrainRequest(**{f.name: getattr(parsed, f.name) for f in dataclasses.fields(parsed)})


def _train_request(recipe_name: str, defaults: Any) -> type:
    """TrainRequest with this recipe's options, so that each becomes a flag."""
    flags: list[tuple[str, Any, Any]] = []
    for f in dataclasses.fields(TrainRequest):
        if f.name == "options":
            options: Any = type(defaults)
            flags.append((f.name, tyro.conf.OmitArgPrefixes[options], dataclasses.field(default=defaults)))
        elif f.name == "recipe":
            flags.append((f.name, tyro.conf.Suppress[str], dataclasses.field(default=recipe_name)))
        else:
            flags.append((f.name, _hint(f.name), dataclasses.field(default=f.default)))
    return dataclasses.make_dataclass("Train", flags, frozen=True)


def _hint(name: str) -> Any:
    """The field's annotation in TrainRequest, with its help."""
    from typing import get_type_hints

    hint = get_type_hints(TrainRequest, include_extras=True)[name]
    texts = {
        "name": "The run's name; empty makes one from the recipe or the data.",
        "from_run": "Start from the weights of this run (fine-tuning), with its options where none are given.",
        "runs": "The folder of the runs.",
    }
    return Annotated[hint, tyro.conf.arg(help=texts[name])]


def _parse(request: type, words: list[str], prog: str, description: str) -> Any:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(request, args=words, prog=prog, description=description)
    except SystemExit as exit_:
        if exit_.code in (0, None):
            raise
        _refuse(said.getvalue(), prog)


def _refuse(boxed: str, prog: str) -> NoReturn:
    """The parser's boxed message as one line."""
    blocks: list[list[str]] = [[]]
    for line in boxed.splitlines():
        text = line.strip("│╭╮╰╯ \n")
        if not text.strip("─ "):
            blocks.append([])
        elif not line.lstrip().startswith(("╭", "╰")):
            blocks[-1].append(text.strip())
    sentences = [" ".join(block) for block in blocks if block]
    message = sentences[0] if sentences else "the options could not be read"
    near = [line.split()[0] for block in blocks if block and block[0].startswith("Perhaps") for line in block[1:2]]
    hint = f" Did you mean {near[0]}?" if near else ""
    raise OptionError(f"{message}.{hint} `{prog} --help` lists the options")


def top_help() -> str:
    """What `unrolled --help` prints: made from the list of actions, without loading anything else."""
    width = max(len(action.name) for action in ACTIONS)
    lines = [
        "Unrolled trains, opens up and runs recurrent networks.",
        "",
        "  unrolled train book.txt            learn a text (or a folder, or - for standard input)",
        "  unrolled train                     learn Python, from the standard library on this machine",
        "  unrolled sample --prompt 'Once'    write with the newest run",
        "",
        "Commands (each has its own --help):",
        *(f"  {action.name:<{width}}   {action.summary}" for action in ACTIONS),
        "",
        "Recipes for `unrolled train RECIPE`: " + ", ".join(registry.all_recipes()),
        "",
        "--json before a command makes it print JSON lines; --version prints the version.",
    ]
    return "\n".join(lines)
