"""`lyrics`: verse that rhymes: poems of one rhyme scheme, with the lines that rhyme written towards each other.

unrolled train lyrics
unrolled train lyrics --data songs.txt --scheme ABCB
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro

from unrolled.recipes import language, language_model
from unrolled.recipes.recipe import Data, Recipe, Writing, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    from unrolled.data.rhymes import Rhymes
    from unrolled.data.verse import Poem, Verse
    from unrolled.models.language_model import LanguageModel

#: Poems that are drawn to see how many of their lines rhyme, and the temperature at which they are.
DRAWN = 64
TEMPERATURE = 0.6
#: Symbols that a line takes, and more.
LONGEST_LINE = 70
STEPS = 2000


@dataclass(frozen=True)
class LyricsOptions(language_model.LanguageModelOptions):
    """Options of lyrics. The data is poems with an empty line between them, all of one rhyme scheme."""

    PATHS: ClassVar[tuple[str, ...]] = ("data", "pronunciations")

    scheme: Annotated[str, tyro.conf.arg(metavar="LETTERS")] = "ABABCDCDEFEFGG"
    """A letter for each line of a poem; lines of the same letter rhyme. Other poems are passed over."""
    pronunciations: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = "cmudict"
    """By which rhymes are counted: a pronouncing dictionary. Nothing is learnt from it."""
    split: Annotated[tuple[float, float, float], tyro.conf.arg(metavar="TRAIN VALID TEST")] = (0.8, 0.1, 0.1)
    """Shares of the poems, drawn once. The last is read by `evaluate` alone."""
    n_gram: int = 6
    """Order of the n-gram that reads the same poems; 0: none."""
    sizes: Annotated[tuple[int, ...], tyro.conf.arg(metavar="H [H ...]")] = (256,)
    embedding_dropout: float = 0.1
    dropout: float = 0.4
    batch_size: int = 32
    reset: float = 0.0
    rate: float = 5e-3
    muon_rate: float = 0.015

    def __post_init__(self) -> None:
        super().__post_init__()
        letters = self.scheme.isascii() and self.scheme.isalpha() and self.scheme.isupper()
        rhymes = letters and len(set(self.scheme)) < len(self.scheme)
        require(rhymes, "scheme", self.scheme, "capital letters, one of them twice or more, such as ABAB")


@dataclass(frozen=True)
class HeldOutPoems:
    """Poems that are not trained on, and those that are; the symbols that they are written with, and what rhymes.

    order: of the n-gram beside the network, 0: none.
    """

    poems: list[Poem]
    training: list[Poem]
    verse: Verse
    rhymes: Rhymes
    order: int

    @cached_property
    def baselines(self) -> dict[str, float]:
        """How much rhymes in these poems and when their lines are shuffled, in %; and what an n-gram pays for them."""
        import numpy as np

        from unrolled.data.rhymes import last_word, share_at_random
        from unrolled.recipes.kneser_ney import losses

        ends = [last_word(line) for poem in self.poems for line in poem]
        learnt, read = (
            np.concatenate([self.verse.encode_as_read(poem) for poem in poems]) for poems in (self.training, self.poems)
        )
        found = {
            "rhymes of these poems": 100 * self.share(self.rhyming(self.poems), len(self.poems)),
            "rhymes of shuffled lines": 100 * share_at_random(self.rhymes, ends),
        }
        if self.order:
            found["n-gram"] = losses(learnt, self.verse.characters.size + 1, self.order, read)[-1]
        return found

    @cached_property
    def known(self) -> set[frozenset[str]]:
        """The pairs of words that rhyme in training."""
        return set(self.rhyming(self.training))

    def rhyming(self, poems: Sequence[Sequence[str]]) -> list[frozenset[str]]:
        """The ends, in small letters, of the lines that should rhyme and do. Lines that are not there do not."""
        from unrolled.data.rhymes import last_word

        found = []
        for poem in poems:
            ends = [last_word(line).lower() for line in poem]
            pairs = [(ends[one], ends[other]) for one, other in self.verse.scheme.pairs if other < len(ends)]
            found += [frozenset(pair) for pair in pairs if self.rhymes.rhyme(*pair)]
        return found

    def share(self, rhyming: Sequence[frozenset[str]], poems: int) -> float:
        """Of so many poems, that of the lines that should rhyme with one before them, and do."""
        return len(rhyming) / (len(self.verse.scheme.pairs) * poems)


def data(options: LyricsOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    import numpy as np

    from unrolled.data.rhymes import Rhymes
    from unrolled.data.sequences import random_split
    from unrolled.data.streams import Streams
    from unrolled.data.verse import Scheme, Verse, read_poems

    found = read_poems(language.text_files(options.data, "sonnets", folder), Scheme(options.scheme), options.encoding)
    rhymes = Rhymes.read(language.one_path(options.pronunciations, "cmudict", folder))
    verse = Verse.of(found.poems, Scheme(options.scheme)) if assets is None else Verse.from_assets(assets)
    kept = [round(share * len(found.poems)) for share in options.split[1:]]
    # Which poems are held out does not depend on the run's seed, so that runs can be compared.
    train, valid, test = random_split(found.poems, kept, seed=0)
    # Rhymes go both ways: each poem is learnt as it is, and with the lines of each letter in the opposite order.
    items = [verse.encode(poem, turned=turned) for poem in train for turned in (False, True)]
    ids = np.concatenate([np.array([verse.close]), *items])
    return Data(
        train=Streams(ids, options.batch_size, options.window, options.seed, reset_probability=options.reset),
        held_out={
            name: HeldOutPoems(part, train, verse, rhymes, options.n_gram) if part else None
            for name, part in (("valid", valid), ("test", test))
        },
        assets=verse.to_assets(),
        summary=f"{found.summary}: {len(train):,} to train on, {len(valid):,} to validate, {len(test):,} to test",
        digest=found.digest,
    )


def model(options: LyricsOptions, assets: Mapping[str, Any]) -> LanguageModel:
    from unrolled.data.verse import Verse

    return language_model.model_of(options, Verse.from_assets(assets).size)


def metric(model: LanguageModel, part: HeldOutPoems) -> dict[str, float]:
    """Nats a character of the poems, line ends included, and how many of the lines that it writes rhyme as they should,
    in %; beside them the baselines.
    """
    from unrolled.data.sequences import in_order

    verse = part.verse
    items = [verse.encode(poem) for poem in part.poems]
    longest = LONGEST_LINE * len(verse.scheme.letters)
    drawn = language.draw(model, [verse.close], DRAWN, longest, TEMPERATURE, seed=0)
    rhyming = part.rhyming([verse.decode(symbols) for symbols in drawn])
    new = sum(pair not in part.known for pair in rhyming)
    # What rhymes is written once, so that symbols and characters are not as many.
    symbols, characters = (sum(map(len, poems)) for poems in (items, map(verse.encode_as_read, part.poems)))
    batches = in_order([item[:-1] for item in items], verse.close, verse.close, batch_size=64)
    return {
        "loss": language.mean_loss(model, batches) * symbols / characters,
        "rhymes": 100 * part.share(rhyming, DRAWN),
        "rhymes that training has not": 100 * new / max(1, len(rhyming)),
        **part.baselines,
    }


def writing(assets: Mapping[str, Any]) -> Writing:
    """Poem after poem, without an end."""
    from unrolled.data.verse import Verse

    verse = Verse.from_assets(assets)
    return Writing(verse.encode_prompt, verse.decoder)


def sample(model: LanguageModel, assets: Mapping[str, Any], seed: int) -> str:
    """One poem or two."""
    return language.write(model, writing(assets), seed, LONGEST_LINE * len(assets["scheme"]), temperature=TEMPERATURE)


def settings(options: LyricsOptions) -> Settings:
    return language_model.settings(options, Budget(steps=STEPS))


RECIPE = Recipe(
    summary="Verse that rhymes: sonnets, or poems of your own scheme",
    source="Shakespeare's Sonnets; rhymes by the CMU Pronouncing Dictionary",
    Options=LyricsOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    writing=writing,
    target={"rhymes": ">= 30"},
    target_data=("", "sonnets"),
    unit="%",
    units={"loss": "nats/symbol", "n-gram": "nats/symbol"},
)
