"""`parse`: from a sentence to its tree, written step by step: open a phrase, take a word, close the phrase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unrolled.errors import DataError
from unrolled.recipes import language, pairs
from unrolled.recipes.recipe import CellName, Data, Recipe, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    import numpy as np
    import torch

    from unrolled.data.trees import Tree
    from unrolled.generation.brackets import Brackets
    from unrolled.models.encoder_decoder import EncoderDecoder
    from unrolled.models.model import Advance
    from unrolled.states import State

#: Of a user's own trees, a tenth, this many at most, validate, and as many test.
HELD_OUT = 1000
#: Sentences that a run keeps to show what it makes of them.
SHOWN = 10
BEAM = 5


@dataclass(frozen=True)
class ParseOptions(pairs.PairOptions):
    """Options of parse. The data is GUM's trees, by their official parts; or a file of trees in brackets."""

    cell: CellName = "lstm"
    embedding: int = 128
    dropout: float = 0.4
    label_smoothing: float = 0.0
    weight_decay: float = 0.01
    batch_size: int = 64
    longest: int = 25
    """Words of a sentence at most; longer ones are left out, of every part."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.longest >= 1, "longest", self.longest, "1 or more")


class Grammar(NamedTuple):
    """What a model must know: the steps by number, what the encoder reads of words, phrases between two words."""

    steps: tuple[str, ...]
    spellings: Any
    longest_run: int

    @classmethod
    def of(cls, trees: Sequence[Tree]) -> Grammar:
        """What these trees teach."""
        from unrolled.data.spellings import Spellings
        from unrolled.data.trees import longest_run, steps

        taken = [steps(tree) for tree in trees]
        return cls(
            tuple(sorted({step for one in taken for step in one})),
            Spellings.of(tree.words() for tree in trees),
            max(map(longest_run, taken)),
        )

    @classmethod
    def from_assets(cls, assets: Mapping[str, Any]) -> Grammar:
        """What `to_assets` wrote."""
        from unrolled.data.spellings import Spellings

        return cls(tuple(assets["steps"]), Spellings(assets["spellings"]), assets["longest_run"])

    def to_assets(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"steps": self.steps, "spellings": self.spellings.features, "longest_run": self.longest_run}

    @property
    def start(self) -> int:
        return len(self.steps)

    @property
    def end(self) -> int:
        return len(self.steps) + 1

    def encode(self, tree: Tree) -> np.ndarray:
        """(S,) int64, its steps, without start and end. DataError at one that the grammar does not have."""
        import numpy as np

        from unrolled.data.trees import steps

        if unknown := self.unknown(tree):
            raise DataError(
                f"a phrase or part of speech {unknown[0]} that was not trained on; known: {' '.join(self.steps)}"
            )
        number = {step: place for place, step in enumerate(self.steps)}
        return np.array([number[step] for step in steps(tree)])

    def unknown(self, tree: Tree) -> list[str]:
        """Its steps that the grammar does not have."""
        from unrolled.data.trees import steps

        return [step for step in steps(tree) if step not in self.steps]

    def rule(self, device: torch.device | str = "cpu") -> Brackets:
        """What the decoder may write. device: where it writes."""
        from unrolled.data import trees
        from unrolled.generation.brackets import CLOSE, END, OPEN, START, TAKE, Brackets

        kinds = [OPEN if trees.opens(step) else TAKE if trees.takes(step) else CLOSE for step in self.steps]
        return Brackets([*kinds, START, END], self.longest_run, device)


def data(options: ParseOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    import numpy as np

    from unrolled.data.examples import Shuffled
    from unrolled.data.pairs import gather

    parts, summary, digest = _read(options, folder)
    grammar = Grammar.of(parts["train"]) if assets is None else Grammar.from_assets(assets)
    words = [tree.words() for tree in parts["train"]]
    sources, targets = [grammar.spellings.read(one) for one in words], [grammar.encode(tree) for tree in parts["train"]]
    return Data(
        train=Shuffled(
            gather(sources, targets, grammar.start, grammar.end),
            len(sources),
            options.batch_size,
            options.seed,
            "steps",
            lengths=np.array([len(target) for target in targets]),
        ),
        held_out={part: _held_out(parts[part], grammar, beam) for part, beam in (("valid", 1), ("test", BEAM))},
        assets={**grammar.to_assets(), "shown": [tree.words() for tree in parts["valid"][:SHOWN]]},
        summary=f"{summary}; of at most {options.longest} words: {len(parts['train']):,} to train on, "
        f"{len(parts['valid']):,} to validate, {len(parts['test']):,} to test",
        digest=digest,
    )


def _read(options: ParseOptions, folder: Path) -> tuple[dict[str, list[Tree]], str, str]:
    """train, valid and test, no longer than asked for; a summary; a digest. folder: where standard input is kept."""
    from unrolled.data import named, treebank
    from unrolled.data.sequences import random_split

    if options.data == "" or (options.data == "gum_constituents" and not Path(options.data).exists()):
        read = treebank.gum(named.find("gum_constituents"))
        whole = {name: read.parts[name] for name in ("train", "valid", "test")}
    else:
        read = treebank.trees_in(language.one_path(options.data, "", folder), options.encoding)
        held_out = min(HELD_OUT, len(read.parts["all"]) // 10)
        split = random_split(read.parts["all"], (held_out, held_out), seed=0)
        whole = dict(zip(("train", "valid", "test"), split, strict=True))
    parts = {
        name: [tree for tree in trees if sum(1 for _ in tree.leaves()) <= options.longest]
        for name, trees in whole.items()
    }
    if not parts["train"]:
        raise DataError(f"{read.summary}, and no sentence to train on has at most {options.longest} words: --longest")
    return parts, read.summary, read.digest


def _held_out(trees: list[Tree], grammar: Grammar, beam: int) -> HeldOutTrees | None:
    """None where there is no loss to measure: no tree, or of a small file's few none of known steps alone."""
    return HeldOutTrees(trees, grammar, beam) if any(not grammar.unknown(tree) for tree in trees) else None


class HeldOutTrees(NamedTuple):
    """Trees that are not trained on, and how they are parsed to be measured."""

    trees: list[Tree]
    grammar: Grammar
    beam: int


def model(options: ParseOptions, assets: Mapping[str, Any]) -> EncoderDecoder:
    from unrolled.data.trees import takes

    grammar = Grammar.from_assets(assets)
    return pairs.encoder_decoder(
        options,
        grammar.spellings.size,
        len(grammar.steps) + 2,
        tied=False,
        moves=[*map(takes, grammar.steps), False, False],
    )


class Parsed(NamedTuple):
    """tree: of the sentence. log_probability: in nats. steps: as written, the end last.
    weights: (steps, words) where each step looked; empty without attention.
    """

    tree: Tree
    log_probability: float
    steps: list[str]
    weights: np.ndarray


def parse(
    model: EncoderDecoder, grammar: Grammar, sentences: Sequence[Sequence[str]], beam: int = BEAM
) -> list[Parsed]:
    """The likeliest tree of each sentence that a beam finds; a sentence has one word at least.

    Only what can become a tree is searched, so that every answer is one.
    """
    import numpy as np

    from unrolled.data.trees import from_steps
    from unrolled.generation.constrained import constrained

    rule = grammar.rule(next(model.parameters()).device)
    sources = [grammar.spellings.read(words) for words in sentences]

    def trees_alone(advance: Advance, state: State, numbers: Sequence[int]) -> tuple[Advance, State]:
        return constrained(advance, rule), (state, rule.begin([len(sentences[i]) for i in numbers]))

    found = pairs.write(
        model,
        sources,
        grammar.start,
        grammar.end,
        beam=beam,
        length_penalty=0.0,
        longest=rule.longest,
        rule=trees_alone,
    )
    best = [hypotheses[0] for hypotheses in found]
    targets = [np.array(one.symbols[:-1], dtype=np.int64) for one in best]
    weights = [np.zeros((len(target) + 1, 0)) for target in targets]
    if model.attention is not None and sentences:
        weights = pairs.looked(model, sources, targets, grammar.start, grammar.end)
    parsed = []
    for words, one, looked in zip(sentences, best, weights, strict=True):
        taken = [grammar.steps[step] for step in one.symbols[:-1]]
        parsed.append(Parsed(from_steps(taken, words), one.log_probability, [*taken, "(end)"], looked))
    return parsed


def metric(model: EncoderDecoder, part: HeldOutTrees) -> dict[str, float]:
    """Nats a step, over the trees of whose steps the model knows all; labelled brackets as EVALB counts them, over all
    trees; those that are all right.
    """
    from unrolled.data.bracket_score import score

    grammar = part.grammar
    known = [tree for tree in part.trees if not grammar.unknown(tree)]
    symbols = pairs.Pairs(
        [grammar.spellings.read(tree.words()) for tree in known],
        [grammar.encode(tree) for tree in known],
        grammar.start,
        grammar.end,
    )
    said = [one.tree for one in parse(model, grammar, [tree.words() for tree in part.trees], part.beam)]
    found = score(zip(part.trees, said, strict=True))
    return {
        "loss": pairs.mean_loss(model, symbols),
        "labelled F1": found.f1,
        "precision": found.precision,
        "recall": found.recall,
        "whole trees": 100 * found.exact / max(1, found.sentences),
    }


def settings(options: ParseOptions) -> Settings:
    return pairs.settings(options, Budget(minutes=10))


def sample(model: EncoderDecoder, assets: Mapping[str, Any], seed: int) -> str:
    """Two sentences with their trees."""
    shown = assets["shown"]
    chosen = [shown[(seed + number) % len(shown)] for number in range(min(2, len(shown)))]
    trees = parse(model, Grammar.from_assets(assets), chosen, beam=1)
    return "\n".join(f"{' '.join(words)}\n  → {one.tree}" for words, one in zip(chosen, trees, strict=True))


RECIPE = Recipe(
    summary="A sentence's tree, written step by step",
    source="Vinyals et al. 2014, Grammar as a Foreign Language: without attention below 70, with it 88.3 (WSJ)",
    Options=ParseOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    used_by="parse RUN FILE",
    target={"labelled F1": ">= 65"},
    target_data=("", "gum_constituents"),
    unit="%",
    units={"loss": "nats/step"},
)
