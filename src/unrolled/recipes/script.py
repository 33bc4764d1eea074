"""`script`: dialogue, speaker by speaker, from plays as plain text.

unrolled train script
unrolled sample --prompt "ROMEO:"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from unrolled.recipes import language, language_model
from unrolled.recipes.recipe import Data, Recipe, Writing
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    import numpy as np

    from unrolled.batch import Batch
    from unrolled.data.dialogue import Speech
    from unrolled.data.vocabulary import Vocabulary
    from unrolled.models.language_model import LanguageModel

#: The parts are made of so many stretches or more, none much longer than a scene.
STRETCHES, SCENE = 50, 10_000
#: Validation while training reads its part side by side.
VALIDATION_STREAMS = 32
#: What stands before a heading.
EMPTY_LINE = "\n\n"
#: Texts that are drawn to look at their changes of speaker, how long they are, and `sample`'s usual temperature.
DRAWN, LENGTH, TEMPERATURE = 64, 500, 0.8
N_GRAM_DRAWN = 24
#: Speeches side by side where they are only measured.
BATCH = 64
STEPS = 2800


@dataclass(frozen=True)
class ScriptOptions(language_model.LanguageModelOptions):
    """Options of script. The data is a play: an empty line, NAME: on a line of its own, and what is said."""

    split: Annotated[tuple[float, float, float], tyro.conf.arg(metavar="TRAIN VALID TEST")] = (0.85, 0.05, 0.1)
    """Parts, of whole stretches from all over the text, so that all have speakers of every play."""
    n_gram: int = 10


@dataclass(frozen=True)
class HeldOutPlay:
    """Speeches that are not trained on, also as one text. speakers: those who speak in training."""

    speeches: list[Speech]
    text: language.HeldOutText
    speakers: frozenset[str]
    vocabulary: Vocabulary

    @cached_property
    def baselines(self) -> dict[str, float]:
        """How many changes of speaker are well-formed in these speeches, and in what the n-gram writes, in %."""
        found = {"well-formed changes of these speeches": self.well_formed(["".join(map(str, self.speeches))])}
        if (model := self.text.baseline) is not None:
            found["well-formed changes of the n-gram"] = self.well_formed(self._n_gram_writes(model))
        return found

    def well_formed(self, texts: Sequence[str]) -> float:
        """In %."""
        from unrolled.data.dialogue import well_formed

        counts = [well_formed(written, self.speakers) for written in texts]
        return 100 * sum(right for right, _ in counts) / max(1, sum(changes for _, changes in counts))

    def _n_gram_writes(self, model: language.NGram) -> list[str]:
        import numpy as np

        from unrolled.recipes.kneser_ney import draw, levels

        known = list(levels(model.training, model.size, model.order))
        begin = self.vocabulary.encode(EMPTY_LINE).tolist()
        generator = np.random.default_rng(0)
        return [
            self.vocabulary.decode(draw(known, model.size, begin, LENGTH, TEMPERATURE, generator))
            for _ in range(N_GRAM_DRAWN)
        ]


def data(options: ScriptOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    from unrolled.data.dialogue import read_play, stretches
    from unrolled.data.sequences import random_split
    from unrolled.data.streams import Streams
    from unrolled.data.vocabulary import CharacterVocabulary, vocabulary_from_assets

    play = read_play(language.text_files(options.data, "tinyshakespeare", folder), options.encoding)
    if assets is None:
        vocabulary = CharacterVocabulary.of("".join(map(str, play.speeches)))
    else:
        vocabulary = vocabulary_from_assets(assets["vocabulary"])
    pieces = stretches(play.speeches, min(SCENE, sum(len(str(speech)) for speech in play.speeches) // STRETCHES))
    # Which stretches are held out does not depend on the run's seed, so that runs can be compared.
    kept = [max(1, round(share * len(pieces))) if share else 0 for share in options.split[1:]]
    train, valid, test = ([one for piece in part for one in piece] for part in random_split(pieces, kept, seed=0))
    speakers = frozenset(speech.speaker for speech in train)

    def encode(speeches: Sequence[Speech]) -> np.ndarray:
        return vocabulary.encode("".join(map(str, speeches)))

    ids = encode(train)

    def held_out(speeches: list[Speech], streams: int, baseline: language.NGram | None) -> HeldOutPlay | None:
        if not speeches:
            return None
        return HeldOutPlay(speeches, language.HeldOutText(encode(speeches), streams, baseline), speakers, vocabulary)

    baseline = language.NGram(ids, vocabulary.size, options.n_gram) if options.n_gram else None
    return Data(
        train=Streams(
            ids, options.batch_size, options.window, options.seed, reset_probability=options.reset, unit=vocabulary.unit
        ),
        held_out={"valid": held_out(valid, VALIDATION_STREAMS, None), "test": held_out(test, 1, baseline)},
        assets={"vocabulary": vocabulary.to_assets()},
        summary=(
            f"{play.summary}: {len(train):,} speeches to train on, {len(valid):,} to validate, {len(test):,} to test"
        ),
        digest=play.digest,
    )


def metric(model: LanguageModel, part: HeldOutPlay) -> dict[str, float]:
    """Nats a symbol, as of char-lm; of what is said, after the speaker's name and after another's; and how many changes
    of speaker are well-formed in what the model writes, in %. Beside them the baselines.
    """
    known = [speech for speech in part.speeches if speech.speaker in part.speakers]
    names = [speech.speaker for speech in known]
    figures = language.held_out_losses(model, part.text)
    if len(set(names)) > 1:
        others = [next(name for name in names[place:] + names if name != own) for place, own in enumerate(names)]
        figures["speeches after their speaker's name"] = language.mean_loss(model, after(known, names, part.vocabulary))
        figures["speeches after another's name"] = language.mean_loss(model, after(known, others, part.vocabulary))
    drawn = language.draw(model, part.vocabulary.encode(EMPTY_LINE).tolist(), DRAWN, LENGTH, TEMPERATURE, seed=0)
    written = [part.vocabulary.decode(symbols) for symbols in drawn]
    return {**figures, "well-formed changes": part.well_formed(written), **part.baselines}


def after(speeches: Sequence[Speech], names: Sequence[str], vocabulary: Vocabulary) -> Iterator[Batch]:
    """Every speech from zero state after a heading with the name that is given for it, of which nothing is counted."""
    import numpy as np
    import torch

    from unrolled.batch import Batch, Ragged
    from unrolled.data.tokens import padded

    order = sorted(range(len(speeches)), key=lambda place: len(speeches[place].words))
    for first in range(0, len(order), BATCH):
        own = order[first : first + BATCH]
        read = {
            "heading": [vocabulary.encode(f"{EMPTY_LINE}{names[place]}:") for place in own],
            "symbols": [vocabulary.encode("\n" + speeches[place].words + "\n") for place in own],
            "targets": [vocabulary.encode(speeches[place].words + EMPTY_LINE) for place in own],
        }
        fields = {}
        for name, items in read.items():
            values, lengths = padded([item.astype(np.int64) for item in items])
            fields[name] = Ragged(torch.from_numpy(values), torch.from_numpy(lengths))
        heading = fields["heading"]
        nothing = Ragged(heading.values, torch.zeros_like(heading.lengths))
        fresh = torch.ones(len(own), dtype=torch.bool)
        yield Batch({"symbols": heading, "targets": nothing}, fresh, origin="headings")
        yield Batch({"symbols": fields["symbols"], "targets": fields["targets"]}, ~fresh, origin="speeches")


def writing(assets: Mapping[str, Any]) -> Writing:
    """Texts without an end, after an empty line: a prompt begins with a heading."""
    from unrolled.data.vocabulary import vocabulary_from_assets

    vocabulary = vocabulary_from_assets(assets["vocabulary"])
    return Writing(lambda prompt: vocabulary.encode(EMPTY_LINE + prompt).tolist(), vocabulary.decoder)


def sample(model: LanguageModel, assets: Mapping[str, Any], seed: int) -> str:
    """A few speeches."""
    return language.write(model, writing(assets), seed, language.SAMPLE_LENGTH, temperature=TEMPERATURE)


def settings(options: ScriptOptions) -> Settings:
    return language_model.settings(options, Budget(steps=STEPS))


RECIPE = Recipe(
    summary="Dialogue, speaker by speaker, from plays as plain text",
    source="tiny Shakespeare (karpathy/char-rnn)",
    Options=ScriptOptions,
    data=data,
    model=language_model.model,
    metric=metric,
    settings=settings,
    sample=sample,
    writing=writing,
    target={"well-formed changes": ">= 93"},
    target_data=("", "tinyshakespeare"),
    unit="nats/symbol",
    units={
        "well-formed changes": "%",
        "well-formed changes of these speeches": "%",
        "well-formed changes of the n-gram": "%",
    },
)
