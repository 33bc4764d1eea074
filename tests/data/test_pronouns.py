"""Who "he" is: sentences that a reader can check, an answer that follows from them, and parts that share no pair."""

from __future__ import annotations

import itertools
import re

import pytest

from unrolled.batch import NOT_ASKED
from unrolled.data.pronouns import NAMES, Sentence, draw_sentence, encode, split_pairs, vocabulary, who_is_he
from unrolled.data.randomness import Purpose, draws

#: Of whom something is said, and who says it of himself.
OTHER = ("said", "complained", "wrote")
SELF = ("promised", "admitted", "swore")


def read(sentence: str) -> str:
    """Who "he" is, by a reader that knows only what the words mean."""
    words = sentence.split()
    first, second = (word for word in words if word in NAMES)
    after_preposition = [b for a, b in itertools.pairwise(words) if a in ("about", "to") and b in NAMES]
    verb = next(word for word in words if word in OTHER + SELF)
    object_ = after_preposition[0] if after_preposition else second
    subject = first if object_ == second else second
    return object_ if verb in OTHER else subject


@pytest.mark.parametrize(
    ("sentence", "who"),
    [
        ("he needs to work more , pavlos said about patrick .", "patrick"),
        ("he needs to work more , said pavlos about patrick .", "patrick"),
        ("patrick promised pavlos that he should rest .", "patrick"),
        ("about patrick , pavlos said : he should rest .", "patrick"),
        ("to patrick , pavlos promised that he should rest .", "pavlos"),
    ],
)
def test_the_reader_of_this_test(sentence: str, who: str) -> None:
    assert read(sentence) == who


def test_a_thousand_sentences_mean_what_a_reader_takes_them_for() -> None:
    generator = draws(0, Purpose.EXAMPLES)
    pairs = [pair for part in split_pairs() for pair in part]
    seen = set()
    for _ in range(1000):
        one = draw_sentence(generator, pairs)
        text = " ".join(one.words)
        assert read(text) == one.who, text
        assert one.words[one.place] == "he" and one.words.count("he") == 1
        assert one.first == (one.place == 0)
        assert set(one.words) <= set(vocabulary())
        seen.add(text)
    assert len(seen) > 900
    assert {word for text in seen for word in text.split()} == set(vocabulary())


def test_half_of_them_cannot_be_known_when_he_comes_and_the_order_of_names_says_nothing() -> None:
    generator = draws(1, Purpose.EXAMPLES)
    drawn = [draw_sentence(generator, split_pairs()[0]) for _ in range(4000)]
    assert 0.46 < sum(one.first for one in drawn) / len(drawn) < 0.54
    for first in (True, False):
        rows = [one for one in drawn if one.first == first]
        named_first = [one.who == next(word for word in one.words if word in NAMES) for one in rows]
        assert 0.4 < sum(named_first) / len(rows) < 0.6
        # No name is the answer more often than about a twelfth.
        assert max(sum(one.who == name for one in rows) for name in NAMES) / len(rows) < 0.13


def test_no_pair_and_no_sentence_is_in_two_parts() -> None:
    parts = split_pairs()
    assert [len(part) for part in parts] == [44, 8, 14]
    as_sets = [{frozenset(pair) for pair in part} for part in parts]
    assert len(set.union(*as_sets)) == sum(map(len, as_sets)) == 66
    assert {name for pair in parts[0] for name in pair} == set(NAMES)
    for part, own in zip(parts, as_sets, strict=True):
        generator = draws(2, Purpose.EXAMPLES)
        for _ in range(200):
            words = draw_sentence(generator, part).words
            assert frozenset(re.findall("|".join(NAMES), " ".join(words))) in own


def test_the_fields_of_two_sentences_by_hand() -> None:
    rows = ("he should rest , carl said about hugo .", "ivan swore to bruno : he is always late .")
    sentences = [
        Sentence(tuple(rows[0].split()), 0, "hugo", True),
        Sentence(tuple(rows[1].split()), 5, "ivan", False),
    ]
    fields = encode(sentences)
    inputs, targets = fields["inputs"], fields["targets"]
    words = vocabulary()
    for row, text in enumerate(rows):
        length = int(inputs.lengths[row])
        assert " ".join(words[number] for number in inputs.values[:length, row]) == text
    assert inputs.lengths.tolist() == targets.lengths.tolist() == [9, 10]
    assert targets.values.T.tolist() == [[7] + [NOT_ASKED] * 9, [NOT_ASKED] * 5 + [8] + [NOT_ASKED] * 4]
    assert fields["first"].tolist() == [[True, False]]


def test_a_batch_is_of_its_part_alone() -> None:
    pairs = [("carl", "hugo")]
    fields = who_is_he(pairs)(draws(0, Purpose.EXAMPLES), 50)
    answers = fields["targets"].values[fields["targets"].values != NOT_ASKED]
    assert len(answers) == 50
    assert {NAMES[number] for number in answers} == {"carl", "hugo"}
