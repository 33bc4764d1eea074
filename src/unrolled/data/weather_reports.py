"""Weather reports, a sentence a day, drawn from a small grammar: some say whether it rains, most refer to days before.

    monday in athens : it is raining                     rain
    tuesday in bergen : no change since yesterday        rain
    wednesday in athens : the weather has turned         dry
    thursday in cairo : like two days ago                rain

Read day by day, each report as a bag of words; the place says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from unrolled.batch import Ragged
from unrolled.data.examples import Fields
from unrolled.data.randomness import pick

#: Reports that say it themselves.
RAIN = ("it is raining", "rain all day", "take an umbrella", "showers since the morning", "wet streets and thunder")
DRY = ("the sun is shining", "not a cloud to be seen", "dry and warm", "clear sky all day", "fine for a walk")
#: Reports that refer to a day before: how many days before, and whether it is the other way round now.
REFERRING = (
    ("no change since yesterday", 1, False),
    ("the same as yesterday", 1, False),
    ("it goes on as before", 1, False),
    ("the weather has turned", 1, True),
    ("the opposite of yesterday", 1, True),
    ("quite unlike yesterday", 1, True),
    ("like two days ago", 2, False),
    ("once more what we had the day before yesterday", 2, False),
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PLACES = ("athens", "bergen", "cairo", "delft")
#: Days of a sequence, from and to; how often a day refers to one before, where there is one.
SHORTEST, LONGEST = 5, 20
REFERS = 0.7


@dataclass(frozen=True)
class Day:
    """report: the sentence. rain: the answer. refers: whether the report alone leaves it open."""

    report: str
    rain: bool
    refers: bool


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word of the grammar, in alphabetical order."""
    texts = (*RAIN, *DRY, *(text for text, _, _ in REFERRING), *WEEKDAYS, *PLACES, "in", ":")
    return tuple(sorted({word for text in texts for word in text.split()}))


def draw_days(generator: np.random.Generator) -> list[Day]:
    """One sequence of days; the first one's report says it itself."""
    days: list[Day] = []
    start, length = generator.integers(len(WEEKDAYS)), generator.integers(SHORTEST, LONGEST + 1)
    # All chances at once: one by one, drawing would cost more than learning.
    for number, (referring, place, sky, phrase) in enumerate(generator.random((length, 4)).tolist()):
        possible = [one for one in REFERRING if one[1] <= number]
        refers = bool(possible) and referring < REFERS
        if refers:
            text, back, turned = pick(possible, phrase)
            rain = days[-back].rain != turned
        else:
            rain = sky < 0.5
            text = pick(RAIN if rain else DRY, phrase)
        weekday = WEEKDAYS[(start + number) % len(WEEKDAYS)]
        days.append(Day(f"{weekday} in {pick(PLACES, place)} : {text}", rain, refers))
    return days


def is_it_raining(generator: np.random.Generator, rows: int) -> Fields:
    """An `examples.Draw` of three ragged fields.

    inputs: (T, B, V), how often each word of the vocabulary is in the day's report. targets: (T, B) int64, 1 for rain.
    refers: (T, B) bool, where the report alone leaves it open.
    """
    return encode([draw_days(generator) for _ in range(rows)])


def encode(sequences: list[list[Day]]) -> Fields:
    """The fields of `is_it_raining` for these sequences."""
    number = {word: place for place, word in enumerate(vocabulary())}
    shape = max(len(days) for days in sequences), len(sequences)
    inputs = np.zeros((*shape, len(number)), dtype=np.float32)
    targets = np.zeros(shape, dtype=np.int64)
    refers = np.zeros(shape, dtype=bool)
    for row, days in enumerate(sequences):
        for t, day in enumerate(days):
            for word in day.report.split():
                inputs[t, row, number[word]] += 1
            targets[t, row] = day.rain
            refers[t, row] = day.refers
    lengths = torch.tensor([len(days) for days in sequences])
    fields = {"inputs": inputs, "targets": targets, "refers": refers}
    return {name: Ragged(torch.from_numpy(values), lengths) for name, values in fields.items()}
