"""Each label against a text marked by hand: under every character, what should be said of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.diagnostics import labels
from unrolled.diagnostics.labels import HOW_FAR, YES_OR_NO


def marked(label, *lines: tuple[str, str]) -> None:
    """lines: (text, marks): x under a yes, . under a no, a digit under a number. ⏎ stands for a line's end."""
    text = "".join(one for one, _ in lines).replace("⏎", "\n")
    found = label(text)
    marks = "".join(marks for _, marks in lines)
    wanted = [{"x": 1, ".": 0}.get(mark, mark) for mark in marks]
    assert "".join(str(int(value)) for value in found) == "".join(str(int(mark)) for mark in wanted)


def test_inside_quotation():
    marked(labels.inside_quotation, ('a "b c" d', "..xxxx..."), (" “e” f", ".xx..."))
    # A blank line closes what nobody closed.
    marked(labels.inside_quotation, ('"a⏎b', "xxxx"), ("⏎⏎c", "x.."))


def test_inside_string_and_its_kinds():
    code = "f('a', \"b\\\"\", '''c'd''') # it's"
    string = "..xx...xxxx.....xxxxxx........."
    marked(labels.inside_string, (code, string))
    marked(labels.inside_long_string, (code, "................xxxxxx........."))
    marked(labels.inside_comment, (code, ".........................xxxxxx"))


def test_strings_end_with_their_line_unless_they_are_long_and_comments_do():
    marked(labels.inside_string, ("don't⏎x", "...xx.."))
    marked(labels.inside_string, ("'''a⏎b'''c", "..xxxxxx.."))
    marked(labels.inside_comment, ("# '⏎'#'", "xxx...."))


def test_a_quote_that_the_text_ends_in():
    assert labels.inside_string("'\\").tolist() == [True, True]
    assert labels.inside_string("''").tolist() == [True, False]


def test_brackets():
    marked(labels.bracket_depth, ("a(b[c]d)e)", "0112211000"))
    marked(labels.inside_brackets, ("a(b[c]d)e)", ".xxxxxx..."))
    marked(labels.bracket_depth, ("(a⏎⏎b", "11100"))


def test_indentation():
    marked(labels.indentation, ("a⏎  b c⏎\td", "0012222088"))
    marked(labels.in_indentation, ("a⏎  b c⏎\td", "..xx....x."))


def test_words_and_numbers():
    marked(labels.inside_word, ("ab c'de 1f", ".x....x..."))
    marked(labels.place_in_word, ("abc d1e", "1230101"))
    marked(labels.inside_number, ("a12 3", ".xx.x"))
    marked(labels.in_capitals, ("Ab ABC D", "....xx.."))
    marked(labels.in_first_word, (" a_b c⏎d e", ".xxx...x.."))


def test_lines():
    marked(labels.place_in_line, ("abc⏎d⏎⏎", "1230100"))
    marked(labels.at_line_end, ("ab⏎⏎c", ".xx.."))


@pytest.mark.parametrize("name", [*YES_OR_NO, *HOW_FAR])
@given(text=st.text("ab\"'#\\\n (“A1\t", max_size=40))
def test_any_text_has_a_number_for_each_character_that_hangs_on_what_was_read(name, text):
    label = {**YES_OR_NO, **HOW_FAR}[name]
    found = label(text)
    assert found.shape == (len(text),)
    assert found.dtype == (bool if name in YES_OR_NO else float)
    if name == "before a line's end" or "'''" in text or '"""' in text:
        return  # the one looks ahead by a character, the other by two
    for end in range(len(text)):
        assert np.array_equal(label(text[:end])[: max(end - 3, 0)], found[: max(end - 3, 0)])
