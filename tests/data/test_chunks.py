"""Chunks and F1, against cases worked by hand with conlleval's rules for where a chunk begins and ends."""

from __future__ import annotations

import pytest

from unrolled.data.chunks import Chunk, are_chunks, chunks, f1


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("B-NP I-NP O B-VP", [(0, 1, "NP"), (3, 3, "VP")]),
        ("B-NP B-NP I-NP", [(0, 0, "NP"), (1, 2, "NP")]),
        # I behind O begins a chunk, and so does I of another type (IOB1, and what a tagger may say).
        ("I-NP I-NP O I-VP", [(0, 1, "NP"), (3, 3, "VP")]),
        ("I-NP I-VP B-VP", [(0, 0, "NP"), (1, 1, "VP"), (2, 2, "VP")]),
        # E ends a chunk, so that what follows begins one, whatever it is.
        ("B-NP E-NP I-NP", [(0, 1, "NP"), (2, 2, "NP")]),
        ("E-NP E-NP", [(0, 0, "NP"), (1, 1, "NP")]),
        ("O O", []),
        ("", []),
        ("B-A-B I-A-B", [(0, 1, "A-B")]),
    ],
)
def test_where_chunks_begin_and_end(tags: str, found: list[tuple[int, int, str]]) -> None:
    assert chunks(tags.split()) == [Chunk(*one) for one in found]


def test_f1_of_a_worked_case() -> None:
    """True: 0-1 NP, 2 VP, 3-4 NP; 0 NP. Said: 0-1 NP, 2 VP, 3 NP, 4 NP; nothing. Right: 2 of 4 said, 2 of 4 true."""
    truth = [["B-NP", "I-NP", "B-VP", "B-NP", "I-NP"], ["B-NP"]]
    said = [["B-NP", "I-NP", "B-VP", "B-NP", "B-NP"], ["O"]]
    assert f1(truth, said) == pytest.approx((50.0, 50.0, 50.0))
    # With three true ones found by five said: 2 · 60 · 75 / 135.
    truth, said = [["B-A", "B-B", "B-C", "B-D", "O"]], [["B-A", "B-B", "B-C", "O", "B-E"]]
    said[0][3:4] = ["B-X"]
    assert f1(truth, said) == pytest.approx((60.0, 75.0, 2 * 60 * 75 / 135))
    assert f1([["O"]], [["O"]]) == (0.0, 0.0, 0.0)
    assert f1(truth, truth) == pytest.approx((100.0, 100.0, 100.0))


def test_what_are_tags_of_chunks() -> None:
    assert are_chunks(["O", "B-NP", "I-NP"]) and are_chunks(["B-X"])
    assert not are_chunks(["O"]) and not are_chunks([]) and not are_chunks(["NN", "O"]) and not are_chunks(["B-"])
