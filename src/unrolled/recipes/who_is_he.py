"""`who-is-he`: whom "he" means, which is often said later: "he needs to work more , pavlos said about patrick ."

A tag is asked for in step, at the word "he". Read forward alone, the answer is not known yet where "he" comes first,
and no network can do better than a guess among twelve; read in two directions it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unrolled.recipes import answers
from unrolled.recipes.recipe import Data, Recipe, Sizes, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    from unrolled.batch import Batch
    from unrolled.models.tagger import Tagger

#: Sentences that are held out.
VALIDATED = 500
TESTED = 2000
SHOWN = 8


@dataclass(frozen=True)
class WhoIsHeOptions(answers.AnswerOptions):
    """Options of who-is-he."""

    directions: Literal["both", "forward"] = "both"
    """In which the sentence is read."""
    embedding: int = 32
    """Features of a word; 0 feeds it one-hot."""
    sizes: Sizes = (64,)
    rate: float = 5e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        answers.refuse_data(self, "who-is-he")
        require(self.embedding >= 0, "embedding", self.embedding, "0 (one-hot) or more")


def data(options: WhoIsHeOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    from unrolled.data import pronouns
    from unrolled.data.examples import Drawn, held_out

    train, valid, test = pronouns.split_pairs()
    words = pronouns.vocabulary()
    return Data(
        train=Drawn(pronouns.who_is_he(train), options.batch_size, options.seed, "pronouns"),
        held_out={
            "valid": held_out(pronouns.who_is_he(valid), VALIDATED, answers.VALID),
            "test": held_out(pronouns.who_is_he(test), TESTED, answers.TEST),
        },
        assets={"words": list(words), "names": list(pronouns.NAMES)},
        summary=(
            f"sentences of {len(words)} words about {len(pronouns.NAMES)} people, drawn anew for each batch; of the "
            f"pairs of people {len(train)} are trained on, {len(valid)} validate, {len(test)} test"
        ),
        digest=answers.digest("who-is-he", words, train, valid, test),
    )


def model(options: WhoIsHeOptions, assets: Mapping[str, Any]) -> Tagger:
    from unrolled.cells import registry
    from unrolled.models.tagger import Tagger

    return Tagger(
        registry.find(options.cell),
        len(assets["words"]),
        options.sizes,
        len(assets["names"]),
        embedding_size=options.embedding,
        two_directions=options.directions == "both",
        dropout=options.dropout,
        kernel=options.kernel,
    )


def metric(model: Tagger, part: list[Batch]) -> dict[str, float]:
    """Nats a pronoun, and how many are understood: all, those before the names, and those behind them."""
    from unrolled.batch import NOT_ASKED

    total, count = 0.0, 0
    every, before, behind = answers.Share(), answers.Share(), answers.Share()
    for one in answers.measured(model, part):
        total, count = total + one.total, count + one.count
        targets, first = model.targets(one.batch), one.batch.tensor("first")
        right, asked = one.answer.argmax(-1) == targets, targets != NOT_ASKED
        every.add(right, asked)
        before.add(right, asked & first)
        behind.add(right, asked & ~first)
    return {
        "loss": total / count,
        "accuracy": every.percent(),
        "accuracy, he before the names": before.percent(),
        "accuracy, he behind the names": behind.percent(),
    }


def settings(options: WhoIsHeOptions) -> Settings:
    return answers.settings(options, Budget(steps=600))


def sample(model: Tagger, assets: Mapping[str, Any], seed: int) -> str:
    """Sentences about held-out pairs, whom the model takes "he" for, and how sure it is."""
    from unrolled.batch import Batch
    from unrolled.data import pronouns
    from unrolled.data.randomness import Purpose, draws

    generator = draws(seed, Purpose.HELD_OUT, answers.SHOWN)
    sentences = [pronouns.draw_sentence(generator, pronouns.split_pairs()[1]) for _ in range(SHOWN)]
    lines = []
    for one in answers.measured(model, [Batch(pronouns.encode(sentences))]):
        for row, sentence in enumerate(sentences):
            p, number = one.answer[sentence.place, row].softmax(-1).max(-1)
            said = assets["names"][int(number)]
            truth = "" if said == sentence.who else f", but it is {sentence.who}"
            lines.append(f"{' '.join(sentence.words)}   he is {said} ({float(p):.2f}){truth}")
    return "\n".join(lines)


RECIPE = Recipe(
    summary='Whom "he" means, where it is said before or afterwards',
    source='the lecture: "He needs to work more, Pavlos said about Patrick" needs both directions',
    Options=WhoIsHeOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    target={"accuracy": ">= 99"},
    unit="%",
    units={"loss": "nats/pronoun"},
)
