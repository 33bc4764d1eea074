"""`is-it-raining`: whether it rains, day by day, of reports that mostly refer to the days before.

An answer is asked for in step, on each day. Without a memory (`--cell memoryless`: an MLP on the day's report) only the
reports that say it themselves can be answered; the others are a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.recipes import answers
from unrolled.recipes.recipe import Data, Recipe, Sizes
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    from unrolled.batch import Batch
    from unrolled.models.tagger import Tagger

#: Sequences of days that are held out.
VALIDATED = 200
TESTED = 1000


@dataclass(frozen=True)
class IsItRainingOptions(answers.AnswerOptions):
    """Options of is-it-raining."""

    sizes: Sizes = (64,)
    rate: float = 5e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        answers.refuse_data(self, "is-it-raining")


def data(options: IsItRainingOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    from unrolled.data import weather_reports
    from unrolled.data.examples import Drawn, held_out

    draw, words = weather_reports.is_it_raining, weather_reports.vocabulary()
    return Data(
        train=Drawn(draw, options.batch_size, options.seed, "days"),
        held_out={"valid": held_out(draw, VALIDATED, answers.VALID), "test": held_out(draw, TESTED, answers.TEST)},
        assets={"words": list(words)},
        summary=(
            f"{weather_reports.SHORTEST} to {weather_reports.LONGEST} days with a report on each, {len(words)} words, "
            "drawn anew for each batch"
        ),
        digest=answers.digest("is-it-raining", words, weather_reports.REFERRING, weather_reports.REFERS),
    )


def model(options: IsItRainingOptions, assets: Mapping[str, Any]) -> Tagger:
    from unrolled.cells import registry
    from unrolled.models.tagger import Tagger

    return Tagger(
        registry.find(options.cell),
        len(assets["words"]),
        options.sizes,
        2,
        dropout=options.dropout,
        kernel=options.kernel,
    )


def metric(model: Tagger, part: list[Batch]) -> dict[str, float]:
    """Nats a day, and how many days are answered rightly: all, those whose report says it, those that refer back."""
    total, count = 0.0, 0
    every, certain, referring = answers.Share(), answers.Share(), answers.Share()
    for one in answers.measured(model, part):
        total, count = total + one.total, count + one.count
        targets, refers = one.batch.ragged("targets"), one.batch.ragged("refers").values
        right, asked = one.answer.argmax(-1) == targets.values, targets.mask()
        every.add(right, asked)
        certain.add(right, asked & ~refers)
        referring.add(right, asked & refers)
    return {
        "loss": total / count,
        "accuracy": every.percent(),
        "accuracy, the report says it": certain.percent(),
        "accuracy, it refers to days before": referring.percent(),
    }


def settings(options: IsItRainingOptions) -> Settings:
    return answers.settings(options, Budget(steps=600))


def sample(model: Tagger, assets: Mapping[str, Any], seed: int) -> str:
    """One held-out sequence of days, and what the model says on each."""
    from unrolled.batch import Batch
    from unrolled.data import weather_reports
    from unrolled.data.randomness import Purpose, draws

    days = weather_reports.draw_days(draws(seed, Purpose.HELD_OUT, answers.SHOWN))
    lines = []
    for one in answers.measured(model, [Batch(weather_reports.encode([days]))]):
        for day, p in zip(days, one.answer[:, 0].softmax(-1)[:, 1].tolist(), strict=True):
            truth = "" if (p > 0.5) == day.rain else f", but it is {'raining' if day.rain else 'dry'}"
            lines.append(f"{day.report}   is it raining? {'yes' if p > 0.5 else 'no'} ({max(p, 1 - p):.2f}){truth}")
    return "\n".join(lines)


RECIPE = Recipe(
    summary="Whether it rains, day by day, of reports that refer to the days before",
    source='the lecture: "is it raining?", an answer in step that depends on what was said before',
    Options=IsItRainingOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    target={"accuracy": ">= 99"},
    unit="%",
    units={"loss": "nats/day"},
)
