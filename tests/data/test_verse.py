"""Poems written from their rhymes on, and read again."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.text import find_files
from unrolled.data.verse import Scheme, Verse, in_parts, read_poems, shared_ending
from unrolled.errors import DataError, PromptError

SONNET = Scheme("ABABCDCDEFEFGG")


def test_a_scheme_in_groups_pairs_and_stanzas() -> None:
    assert Scheme("ABAB").groups == [[0, 2], [1, 3]] and Scheme("ABAB").pairs == [(0, 2), (1, 3)]
    assert SONNET.stanzas == [range(2), range(2, 4), range(4, 6), range(6, 7)]
    assert Scheme("AABB").stanzas == [range(1), range(1, 2)]
    assert Scheme("ABCB").groups == [[0], [1, 3], [2]] and Scheme("ABCB").stanzas == [range(1), range(1, 3)]
    assert Scheme("AAA").pairs == [(0, 1), (1, 2)]


def test_what_rhymes_is_written_first_and_once() -> None:
    verse = Verse.of([("we day,", "Oh", "x may", "f!")], Scheme("ABAB"))
    spelt = dict(zip([verse.word, verse.rest, verse.close], "+|/", strict=True))

    def shown(symbols: np.ndarray) -> str:
        return "".join(spelt.get(one) or verse.characters.characters[one] for one in symbols.tolist())

    assert shown(verse.encode(("we day,", "Oh", "x may", "f!"))) == "ya+d+m|, ew| x/+hO+f||!/"
    assert shown(verse.encode(("we day,", "Oh", "x may", "f!"), turned=True)) == "ya+m+d| x|, ew/+f+hO|!|/"
    assert (verse.word, verse.rest, verse.close, verse.size) == (13, 14, 15, 16)
    as_read = verse.encode_as_read(("we day,", "Oh", "x may", "f!"))
    assert "".join("\n" if one == 13 else verse.characters.characters[one] for one in as_read) == (
        "we day,\nOh\nx may\nf!\n"
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  And thy deserv'd day, '", ("  And thy deserv'd day, ", "", "'")),
        ("tatter'd:'", ("", "tatter'd", ":'")),
        ("o'er-snowed", ("", "o'er-snowed", "")),
        ("so\tlong 12", ("so\tlong ", "", "12")),
        ("", ("", "", "")),
    ],
)
def test_a_line_in_parts(line: str, expected: tuple[str, str, str]) -> None:
    assert in_parts(line) == expected


def test_shared_endings() -> None:
    assert shared_ending(["increase", "decrease"]) == "crease"
    assert shared_ending(["day", "today"]) == "day" and shared_ending(["be", "day"]) == ""
    assert shared_ending(["day", "may", "by"]) == "y" and shared_ending(["day"]) == ""


@given(letters=st.text("ABCD", min_size=1, max_size=10), seed=st.integers(0, 100))
def test_what_is_written_is_read_again(letters: str, seed: int) -> None:
    draw = random.Random(seed)
    poem = tuple("".join(draw.choices("xyz ',", k=draw.randint(0, 7))).strip() + draw.choice("xyz.!") for _ in letters)
    verse = Verse.of([poem], Scheme(letters))
    symbols = verse.encode(poem).tolist()
    assert verse.decode(symbols) == list(poem)
    decoder = verse.decoder()
    whole = "".join(f"{line}\n" for line in poem) + "\n"
    assert "".join(decoder.feed(symbol) for symbol in symbols * 2) == whole * 2


def test_a_stanza_comes_when_it_is_whole() -> None:
    poem = ("a day", "oh", "a may", "so", "x", "x")
    verse = Verse.of([poem], Scheme("ABABCC"))
    decoder = verse.decoder()
    pieces = [decoder.feed(symbol) for symbol in verse.encode(poem).tolist()]
    assert [piece for piece in pieces if piece] == ["a day\noh\na may\nso\n", "x\nx\n\n"]


def test_pieces_too_many_or_too_few_are_still_read() -> None:
    verse = Verse.of([("ab", "cd")], Scheme("AA"))
    a, b, c, _, word, rest, close = range(7)
    assert verse.decode([a, word, b, word, c, word, close]) == ["ba", "ca"]
    assert verse.decode([a, word, b, rest, rest, c, rest, close]) == ["ba", "ac"]
    assert verse.decode([a, close]) == ["…", "…"] and verse.decode([a, word, b, close]) == ["ba", "…"]
    assert verse.decode([a, word, b]) == []
    assert verse.decode([a, word, b, word, c, close] * 2) == ["ba", "ca"]


def test_poems_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "poems.txt").write_bytes(b"I\r\n\r\nab\r\n  cd \r\n\r\n \r\nef\r\ngh\r\n\r\nx\r\ny\r\nz")
    found = read_poems(find_files([tmp_path / "poems.txt"]), Scheme("AA"))
    assert found.poems == [("ab", "cd"), ("ef", "gh")]
    assert found.summary == "poems.txt: 2 poems of 2 lines, 2 of other lengths passed over"
    with pytest.raises(DataError, match=r"no poem of 4 lines, as --scheme ABAB has, .*\(2 of 2, 1 of 1, 1 of 3\)"):
        read_poems(find_files([tmp_path / "poems.txt"]), Scheme("ABAB"))


def test_a_prompt_is_refused_for_verse_begins_with_its_rhymes() -> None:
    verse = Verse.of([("ab", "cd")], Scheme("AA"))
    assert verse.encode_prompt("") == [verse.close]
    with pytest.raises(PromptError, match="'ab': lines are written from their rhymes on"):
        verse.encode_prompt("ab")
    assert Verse.from_assets(verse.to_assets()).encode(("ab", "cd")).tolist() == verse.encode(("ab", "cd")).tolist()
