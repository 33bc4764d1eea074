"""Stop texts: the first complete one wins, no part of one is shown, and cuts into pieces change nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import OptionError
from unrolled.generation.stopping import StopTexts

texts = st.text("ab\n", max_size=20)
stop_lists = st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=4)


def oracle(text: str, stops: list[str]) -> tuple[str, str | None]:
    """Read to each end in turn: the first at which some stop text is complete; the longest of those."""
    for end in range(len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            stop = max(complete, key=len)
            return text[: end - len(stop)], stop
    return text, None


def run(pieces: list[str], stops: list[str]) -> tuple[str, str | None]:
    stop = StopTexts(stops)
    shown = "".join([stop.feed(piece) for piece in pieces])
    return shown + stop.rest(), stop.found


@given(st.lists(texts, max_size=6), stop_lists)
def test_any_cut_gives_what_the_whole_text_gives(pieces, stops):
    whole = "".join(pieces)
    expected = oracle(whole, stops)
    assert run(pieces, stops) == expected
    assert run([whole], stops) == expected
    assert run(list(whole), stops) == expected


@given(texts, stop_lists)
def test_what_is_shown_is_never_taken_back_and_as_early_as_can_be(text, stops):
    stop = StopTexts(stops)
    shown = ""
    for i, character in enumerate(text):
        shown += stop.feed(character)
        if stop.found is not None:
            break
        so_far = text[: i + 1]
        assert so_far.startswith(shown)
        held = so_far[len(shown) :]
        # Held back only because it could become a stop text.
        assert held == "" or any(s.startswith(held) and s != held for s in stops)


def test_a_part_of_a_stop_text_is_held_back_until_it_is_clear():
    stop = StopTexts(["\n\n"])
    assert stop.feed("one\n") == "one"
    assert stop.feed("two\n") == "\ntwo"
    assert stop.feed("\nthree") == ""
    assert stop.found == "\n\n"
    assert stop.feed("more") == ""
    assert stop.rest() == ""


def test_what_was_held_back_is_given_when_no_more_comes():
    stop = StopTexts(["END"])
    assert stop.feed("the EN") == "the "
    assert stop.rest() == "EN"
    assert stop.rest() == ""
    assert stop.found is None


@pytest.mark.parametrize("stops", [[""], ["a", ""], "abc"])
def test_empty_stop_texts_are_refused(stops):
    with pytest.raises(OptionError, match="none of them empty"):
        StopTexts(stops)
