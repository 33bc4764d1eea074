"""`parse`: the trees of sentences of people's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

import tyro

from unrolled.errors import DataError, OptionError
from unrolled.figures import Figure
from unrolled.figures import Tree as TreeFigure
from unrolled.recipes.recipe import require
from unrolled.workshop import folder as folders
from unrolled.workshop.looking import Files, given_text, show
from unrolled.workshop.messages import Message, ParsedSentence
from unrolled.workshop.translate import AT_ONCE, LONGEST, lines

if TYPE_CHECKING:
    from unrolled.data.trees import Tree
    from unrolled.models.encoder_decoder import EncoderDecoder
    from unrolled.recipes.parse import Parsed
    from unrolled.workshop.run import Run

#: How a tree begins, and no sentence does: a bracket, at most a label, and another bracket.
_TREE = re.compile(r"\s*\(\s*[^\s()]*\s*\(")


@dataclass(frozen=True)
class ParseRequest(Files):
    """Write the tree of each sentence, one a line, with a run that was trained to."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """A run of parse: its name or folder. Empty: the newest run."""
    text: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE|-|WORDS")] = "-"
    """A file, - for standard input, or a sentence."""
    beam: int = 5
    """Beginnings that are kept side by side; 1 always takes the likeliest step."""
    split: bool = False
    """The words of a line are parted by blanks already, marks too."""
    draw: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Draw the trees of the first N sentences."""
    maps: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Show for the first N sentences where each step that was written looked."""
    encoding: str = "utf-8"
    """How the file's bytes are to be read."""
    cell: str = ""
    """Allow this cell, package.module:Class, which the run names."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""

    def __post_init__(self) -> None:
        require(self.beam >= 1, "beam", self.beam, "1 or more")
        require(self.draw >= 0, "draw", self.draw, "0 or more")
        require(self.maps >= 0, "maps", self.maps, "0 or more")
        if any((self.svg, self.json, self.npy)) and not (self.draw or self.maps):
            raise OptionError(
                "--svg, --json and --npy keep drawings of trees, and maps: ask for some with --draw 1 or --maps 1"
            )


def parse(request: ParseRequest) -> Iterator[Message]:
    """A tree for each line, nothing for an empty one; then the drawings and maps that were asked for."""
    from unrolled.data.spellings import split_words
    from unrolled.diagnostics.attention import attention_map
    from unrolled.workshop.run import Run

    run = Run(folders.open_run(request.run, folders.runs_folder(request.runs)), request.cell)
    read = lines(given_text(request.text, LONGEST, request.encoding), request.text)
    for number, line in enumerate(read, 1):
        if _TREE.match(line):
            raise DataError(
                f"{request.text}, line {number:,}: a tree in brackets, where a sentence was expected: give the words "
                "alone; `unrolled evaluate` measures a run on its own trees"
            )
    words = [line.split() if request.split else split_words(line) for line in read]
    if request.maps and model_of(run).attention is None:
        raise OptionError(f"{run.folder.path}: a run without attention looks nowhere: leave --maps out")
    drawings: list[Figure] = []
    maps: list[Figure] = []
    number = 0
    for first in range(0, len(words), AT_ONCE):
        for one in trees(run, words[first : first + AT_ONCE], request.beam):
            number += 1
            if one is None:
                yield ParsedSentence(number, "", 0.0)
                continue
            yield ParsedSentence(number, str(one.tree), one.log_probability)
            if len(drawings) < request.draw:
                drawings.append(drawing(one.tree))
            if len(maps) < request.maps:
                own = one.tree.words()
                maps.append(attention_map(" ".join(own), own, one.steps[:-1], one.weights.tolist()))
    yield from show([*drawings, *maps], request)


def model_of(run: Run) -> EncoderDecoder:
    """The run's model. OptionError where it was not trained to parse."""
    if run.recipe_name != "parse":
        raise run.unfit("writes no trees", "parse")
    return cast("EncoderDecoder", run.model)


def trees(run: Run, sentences: Sequence[Sequence[str]], beam: int = 5) -> list[Parsed | None]:
    """What the run makes of each sentence, given as words; None of one without any.

    OptionError where it was not trained to parse.
    """
    from unrolled.recipes import parse as recipe

    model = model_of(run)
    asked = [number for number, words in enumerate(sentences) if words]
    found: list[Parsed | None] = [None] * len(sentences)
    grammar = recipe.Grammar.from_assets(run.assets)
    for number, one in zip(asked, recipe.parse(model, grammar, [sentences[n] for n in asked], beam), strict=True):
        found[number] = one
    return found


def drawing(tree: Tree) -> TreeFigure:
    """The tree as a figure: phrases and words, without the parts of speech between them."""
    labels: list[str] = []
    parents: list[int] = []

    def put(node: Tree, parent: int) -> None:
        number = len(labels)
        labels.append(node.label if node.children else node.word)
        parents.append(parent)
        for child in node.children:
            put(child, number)

    put(tree, -1)
    return TreeFigure(" ".join(tree.words()), tuple(labels), tuple(parents))
