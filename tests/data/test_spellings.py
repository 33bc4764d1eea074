"""What is read of a word."""

from __future__ import annotations

from unrolled.data.spellings import Spellings


def test_known_words_their_endings_and_shapes() -> None:
    known = Spellings.of([["Walking", "talking"], ["walking", "in", "1999", "in", "2001"]])
    read = known.read(["walking", "talking", "Jumping", "1875", "?!"])
    shown = [[known.features[number] for number in row] for row in read]
    assert shown[0] == ["word walking", "last 3 ing", "last 2 ng", "last 1 g", "first 2 wa", "shape small"]
    assert shown[1][0] == "word "  # seen once
    assert shown[1][1] == "last 3 ing" and shown[1][4] == "first 2 "
    assert shown[2][:2] == ["word ", "last 3 ing"] and shown[2][5] == "shape "  # one capital alone was seen
    assert shown[3][0] == "word 0000" and shown[3][5] == "shape digits"
    assert shown[4] == ["word ", "last 3 ", "last 2 ", "last 1 ", "first 2 ", "shape "]
    assert known.read([]).shape == (0, 6)
    assert Spellings(known.features).read(["walking"]).tolist() == read[:1].tolist()
