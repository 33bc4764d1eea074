"""From words on a command line to an action and its request."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
from collections.abc import Sequence
from typing import Any, NoReturn, get_type_hints

import tyro

from unrolled.cli.help import SHORT
from unrolled.errors import OptionError, did_you_mean
from unrolled.recipes import registry
from unrolled.recipes.recipe import Options
from unrolled.workshop.actions import ACTIONS, Action

#: What the parser says of an option that is empty, off or not set as it stands.
_EMPTY_DEFAULT = re.compile(r"\s*\(default:\s+(''|None|False)?\)")
_CONFIG = (tyro.conf.FlagCreatePairsOff,)
#: The parser's messages, and how they are said here.
_MESSAGES = (
    (r"Error parsing (\S+): invalid literal for int\(\) with base 10: (.+)", r"\1 \2: expected a whole number"),
    (r"Error parsing (\S+): could not convert string to float: (.+)", r"\1 \2: expected a number"),
    (
        r"Error parsing (\S+): no type matching \S+ could be instantiated from \[(.+?)\]\..*",
        r"\1 \2: expected a number",
    ),
    (r"Error parsing (\S+): Could not find valid parse for arguments: \[(.+)\]", r"\1 \2: expected numbers alone"),
    (r"invalid choice (\S+) for argument '(\S+)'\. Expected one of \((.+?),?\)\.", r"\2 \1: expected one of \3"),
    (r"Missing value for argument '(\S+)'\. Expected 1 values\.", r"\1 needs a value"),
    (r"Missing value for argument '(\S+)'\. Expected (\d+) values\.", r"\1 needs \2 values"),
    (r"Missing from unrolled (.+?): (\S+) (.+?)\.? \(required\).*", r"\1 needs \2: \3"),
    (r"Unrecognized options: (--?[^,]+).*", r"no option is called \1"),
    (r"Unrecognized options: (.+)", r"\1: not expected here (what to work on comes first, then the options)"),
)


def split_command(words: Sequence[str]) -> tuple[Action | None, list[str]]:
    """The action that the first word or two name, and the rest; None where only help for a group of them is asked.

    OptionError with the nearest name.
    """
    by_name = {action.name: action for action in ACTIONS}
    if " ".join(words[:2]) in by_name:
        return by_name[" ".join(words[:2])], list(words[2:])
    if words[0] in by_name:
        return by_name[words[0]], list(words[1:])
    seconds = [name.split()[1] for name in by_name if name.startswith(f"{words[0]} ")]
    if seconds:
        if words[1:] in (["-h"], ["--help"]) or (len(words) == 1 and words[0] not in SHORT):
            return None, []
        if words[0] not in SHORT or (len(words) > 1 and not words[1].startswith("-")):
            raise OptionError(
                f"`unrolled {words[0]} {words[1]}`: expected {', '.join(seconds)}.{_swapped(words, seconds)} "
                f"`unrolled {words[0]} --help` tells them apart"
            )
        return by_name[SHORT[words[0]]], list(words[1:])
    known = list(dict.fromkeys(name.split()[0] for name in by_name))
    raise OptionError(f"no command is called {words[0]!r}.{did_you_mean(words[0], known)} Known: {', '.join(known)}")


def _swapped(words: Sequence[str], seconds: Sequence[str]) -> str:
    """The nearest of the commands; or where it stands in the wrong place, what to write."""
    if words[2:3] and words[2] in seconds:
        return f" Did you mean `unrolled {words[0]} {words[2]} {words[1]}`?"
    return did_you_mean(words[1], seconds)


def parse(action: Action, words: list[str]) -> Any:
    """The request. `--help` prints the options and exits; a mistake is an OptionError of one line."""
    if action.name == "train":
        return _parse_train(words)
    return _parse(action.request, words, f"unrolled {action.name}", action.summary)


def _parse_train(words: list[str]) -> Any:
    from unrolled.workshop.train import TrainRequest, parent_options, read_word

    word = words[0] if words and (words[0] == "-" or not words[0].startswith("-")) else ""
    recipe_name, data = read_word(word)
    recipe = registry.find(recipe_name)
    words = [*(["--data", data] if data else []), *words[bool(word) :]]
    if data and any(given == "--data" or given.startswith("--data=") for given in words[2:]):
        raise OptionError(f"`{word}` and --data both name what to learn: give one of them")
    prog = f"unrolled train {word or recipe_name}"
    parsed = _parse(_train_request(recipe_name, recipe.Options()), words, prog, recipe.summary)
    options: Options = getattr(parsed, _options_field(recipe_name))
    if parsed.from_run:
        # Read again, with the parent's options where none are given. Its cell, where it is code from elsewhere, is
        # allowed only if it was typed here.
        defaults = parent_options(parsed.from_run, parsed.runs, recipe_name, options.cell)
        parsed = _parse(_train_request(recipe_name, defaults), words, prog, recipe.summary)
        options = getattr(parsed, _options_field(recipe_name))
    return TrainRequest(recipe_name, options, parsed.name, parsed.from_run, parsed.runs)


def _options_field(recipe_name: str) -> str:
    """The recipe's options are a group of their own in the help, titled by the field's name."""
    return recipe_name.replace("-", "_")


def _train_request(recipe_name: str, defaults: Options) -> type:
    """TrainRequest with this recipe's options, so that each becomes a flag."""
    from unrolled.workshop.train import TrainRequest

    hints = get_type_hints(TrainRequest, include_extras=True)
    kind: Any = type(defaults)
    flags: list[tuple[str, Any, Any]] = [
        (_options_field(recipe_name), tyro.conf.OmitArgPrefixes[kind], dataclasses.field(default=defaults))
    ]
    flags += [
        (field.name, hints[field.name], dataclasses.field(default=field.default))
        for field in dataclasses.fields(TrainRequest)
        if field.name not in {"recipe", "options"}
    ]
    return dataclasses.make_dataclass("Train", flags, frozen=True)


def _parse(request: type, words: list[str], prog: str, description: str) -> Any:
    help_text, said = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(help_text), contextlib.redirect_stderr(said):
            return tyro.cli(request, args=words, prog=prog, description=description, config=_CONFIG)
    except SystemExit as exit_:
        if exit_.code in (0, None):
            print(_without_empty_defaults(help_text.getvalue()), end="")
            raise
        _refuse(said.getvalue(), prog)


def _without_empty_defaults(help_text: str) -> str:
    """The help without the defaults that say nothing."""
    return "".join(line.rstrip() + "\n" for line in _EMPTY_DEFAULT.sub("", help_text).splitlines())


def _refuse(said: str, prog: str) -> NoReturn:
    """The parser's message as one line: it writes a title, a rule, the message, and between more rules its advice."""
    blocks = re.split(r"^\s*-+\s*$", said, flags=re.MULTILINE)
    message = " ".join(blocks[min(1, len(blocks) - 1)].split())
    near = re.search(r"Perhaps you meant[^\n]*\n\s*(--[\w-]+)", said)
    hint = f" Did you mean {near[1]}?" if near else ""
    raise OptionError(f"{_in_our_words(message)}.{hint} `{prog} --help` lists the options")


def _in_our_words(message: str) -> str:
    """What the parser says, as everything else is said here; as it stands where it is none of the usual."""
    for pattern, words in _MESSAGES:
        if found := re.fullmatch(pattern, message):
            return found.expand(words)
    return message.rstrip(".")
