"""What a reader sees at each character of a text: plain functions, computed from the text alone, one for each thing.

Each takes a text of N characters and gives (N,) numbers: what holds once the character has been read. Those of
`YES_OR_NO` give bool, those of `HOW_FAR` float64. None of them knows what a text is, and so some mean nothing in some
texts (a comment, in a novel): a unit that follows what is not there is ranked low, and does no harm.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Label = Callable[[str], np.ndarray]

_CODE, _COMMENT, _STRING, _LONG_STRING = range(4)
_OPENING, _CLOSING = "([{", ")]}"


def inside_quotation(text: str) -> np.ndarray:
    """Between “ and ”, or between two straight double quotes; a paragraph's end closes what was left open."""
    inside = np.zeros(len(text), bool)
    is_open = False
    for i, character in enumerate(text):
        if character == "“":
            is_open = True
        elif character == "”" or (character == "\n" and text[i - 1 : i] == "\n"):
            is_open = False
        elif character == '"':
            is_open = not is_open
        inside[i] = is_open
    return inside


def inside_string(text: str) -> np.ndarray:
    """In a string of Python's: behind its opening quote, before the closing one is complete."""
    return _scanned(text) >= _STRING


def inside_long_string(text: str) -> np.ndarray:
    """In a string of Python's between triple quotes, docstrings for the most part."""
    return _scanned(text) == _LONG_STRING


def inside_comment(text: str) -> np.ndarray:
    """From # to the line's end, outside strings."""
    return _scanned(text) == _COMMENT


def inside_brackets(text: str) -> np.ndarray:
    """Inside ( ), [ ] or { }."""
    return bracket_depth(text) > 0


def in_indentation(text: str) -> np.ndarray:
    """In the blanks with which a line begins."""
    return _line_indentation(text)[1]


def inside_word(text: str) -> np.ndarray:
    """A letter that follows a letter."""
    letters = np.array([character.isalpha() for character in text], bool)
    return letters & np.concatenate([[False], letters[:-1]])


def inside_number(text: str) -> np.ndarray:
    """A digit."""
    return np.array([character.isdigit() for character in text], bool)


def in_capitals(text: str) -> np.ndarray:
    """In a run of two or more capital letters."""
    capital = np.array([character.isupper() for character in text], bool)
    return capital & np.concatenate([[False], capital[:-1]])


def at_line_end(text: str) -> np.ndarray:
    """The next character ends the line: a unit that knows it foresees it."""
    return np.array([text[i : i + 1] == "\n" for i in range(1, len(text) + 1)], bool)


def in_first_word(text: str) -> np.ndarray:
    """In the first word of a line."""
    found = np.zeros(len(text), bool)
    state = 0  # 0 before the first word, 1 in it, 2 behind
    for i, character in enumerate(text):
        if character == "\n":
            state = 0
        elif state == 0 and not character.isspace():
            state = 1
        elif state == 1 and not (character.isalnum() or character == "_"):
            state = 2
        found[i] = state == 1
    return found


def place_in_line(text: str) -> np.ndarray:
    """Characters since the line began, this one included: 0 at the line's end before."""
    return _since(text, lambda character: character == "\n")


def place_in_word(text: str) -> np.ndarray:
    """Letters since the word began, this one included: 0 outside words."""
    return _since(text, lambda character: not character.isalpha())


def bracket_depth(text: str) -> np.ndarray:
    """Brackets that are open; a blank line closes all, so that one left open does not count for ever."""
    depth = np.zeros(len(text))
    now = 0
    for i, character in enumerate(text):
        if character in _OPENING:
            now += 1
        elif character in _CLOSING:
            now = max(now - 1, 0)
        elif character == "\n" and text[i - 1 : i] == "\n":
            now = 0
        depth[i] = now
    return depth


def indentation(text: str) -> np.ndarray:
    """Columns by which the line is indented, as far as it has been read; a tab goes to the next multiple of 8."""
    return _line_indentation(text)[0]


#: Name, as it follows "high": "high inside a comment".
YES_OR_NO: dict[str, Label] = {
    "inside a quotation": inside_quotation,
    "inside a string": inside_string,
    "inside a triple-quoted string": inside_long_string,
    "inside a comment": inside_comment,
    "inside brackets": inside_brackets,
    "in a line's indentation": in_indentation,
    "in a line's first word": in_first_word,
    "before a line's end": at_line_end,
    "inside a word": inside_word,
    "in a number": inside_number,
    "in a run of capitals": in_capitals,
}
HOW_FAR: dict[str, Label] = {
    "place in the line": place_in_line,
    "place in the word": place_in_word,
    "depth of brackets": bracket_depth,
    "indentation": indentation,
}


def _since(text: str, resets: Callable[[str], bool]) -> np.ndarray:
    count = np.zeros(len(text))
    now = 0
    for i, character in enumerate(text):
        now = 0 if resets(character) else now + 1
        count[i] = now
    return count


def _line_indentation(text: str) -> tuple[np.ndarray, np.ndarray]:
    """(columns by which the line is indented, whether these blanks are still being read)."""
    columns, reading = np.zeros(len(text)), np.zeros(len(text), bool)
    now, still = 0, True
    for i, character in enumerate(text):
        if character == "\n":
            now, still = 0, True
        elif still and character in " \t":
            now = now + 1 if character == " " else (now // 8 + 1) * 8
            reading[i] = True
        else:
            still = False
        columns[i] = now
    return columns, reading


def _scanned(text: str) -> np.ndarray:
    """Code, comment, string or long string at each character, by Python's rules of quoting."""
    kinds = np.zeros(len(text), np.int8)
    kind, quote, i = _CODE, "", 0
    while i < len(text):
        character, width, before = text[i], 1, kind
        if kind == _CODE:
            if character == "#":
                kind = _COMMENT
            elif character in "\"'":
                width = 3 if text.startswith(character * 3, i) else 1
                kind, quote = (_LONG_STRING if width == 3 else _STRING), character * width
        elif kind == _COMMENT:
            kind = _CODE if character == "\n" else kind
        elif character == "\\":
            width = 2
        elif text.startswith(quote, i):
            kind, width = _CODE, len(quote)
        elif character == "\n" and kind == _STRING:
            # Nobody closed it: in a text that is not code, an apostrophe.
            kind = _CODE
        # A quote of three characters opens or closes with its last.
        kinds[i : i + width] = before
        kinds[min(i + width, len(text)) - 1] = kind
        i += width
    return kinds
