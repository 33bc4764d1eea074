"""Is it raining: every day's answer, by a reader that follows the reports."""

from __future__ import annotations

import pytest

from unrolled.data.randomness import Purpose, draws
from unrolled.data.weather_reports import (
    DRY,
    LONGEST,
    RAIN,
    REFERRING,
    SHORTEST,
    Day,
    draw_days,
    encode,
    is_it_raining,
    vocabulary,
)


def read(reports: list[str]) -> list[bool]:
    """Whether it rains, day by day, from the words alone."""
    answers: list[bool] = []
    for report in reports:
        said = report.split(" : ")[1]
        if said in RAIN:
            answers.append(True)
        elif said in DRY:
            answers.append(False)
        elif "two days" in said or "day before" in said:
            answers.append(answers[-2])
        elif any(word in said for word in ("turned", "opposite", "unlike")):
            answers.append(not answers[-1])
        else:
            answers.append(answers[-1])
    return answers


def test_the_reader_of_this_test() -> None:
    days = ["it is raining", "no change since yesterday", "the weather has turned", "like two days ago"]
    assert read([f"monday in athens : {text}" for text in days]) == [True, True, False, True]


def test_every_answer_follows_from_the_reports() -> None:
    generator = draws(0, Purpose.EXAMPLES)
    lengths, refers, rain = set(), [], []
    for _ in range(500):
        days = draw_days(generator)
        assert read([day.report for day in days]) == [day.rain for day in days]
        assert [day.refers for day in days] == [day.report.split(" : ")[1] not in RAIN + DRY for day in days]
        assert not days[0].refers
        lengths.add(len(days))
        refers += [day.refers for day in days[1:]]
        rain += [day.rain for day in days if day.refers]
    assert lengths == set(range(SHORTEST, LONGEST + 1))
    assert 0.66 < sum(refers) / len(refers) < 0.74
    # Without the days before there is nothing to go by.
    assert 0.47 < sum(rain) / len(rain) < 0.53


@pytest.mark.parametrize("text", [text for text, _, _ in REFERRING])
def test_no_referring_report_tells_by_itself(text: str) -> None:
    generator = draws(3, Purpose.EXAMPLES)
    days = [day for _ in range(1200) for day in draw_days(generator) if day.report.endswith(f": {text}")]
    assert 0.4 < sum(day.rain for day in days) / len(days) < 0.6


def test_the_fields_of_two_sequences_by_hand() -> None:
    first = [
        Day("monday in athens : rain all day", True, False),
        Day("tuesday in delft : like two days ago", True, True),
    ]
    second = [Day("sunday in cairo : dry and warm", False, False)]
    fields = encode([first, second])
    words = vocabulary()
    assert [fields[name].lengths.tolist() for name in ("inputs", "targets", "refers")] == [[2, 1]] * 3
    for row, days in enumerate((first, second)):
        for t, day in enumerate(days):
            bag = {words[k]: int(n) for k, n in enumerate(fields["inputs"].values[t, row]) if n}
            assert bag == {word: day.report.split().count(word) for word in day.report.split()}
    assert fields["targets"].values.T.tolist() == [[1, 1], [0, 0]]
    assert fields["refers"].values.T.tolist() == [[False, True], [False, False]]


def test_every_word_is_known() -> None:
    fields = is_it_raining(draws(0, Purpose.EXAMPLES), 60)
    counts = fields["inputs"].values.sum(-1)
    assert (counts[fields["inputs"].mask()] >= 5).all()
    assert (fields["inputs"].values.sum((0, 1)) > 0).all()
