"""`inspect`: a look into a trained model, as figures. What needs no training stands in inspect_training.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from unrolled.errors import DataError, OptionError, did_you_mean
from unrolled.figures import Figure
from unrolled.workshop import folder as folders
from unrolled.workshop.actions import ACTIONS
from unrolled.workshop.inspect_answers import answer_saliency
from unrolled.workshop.inspect_training import OF_RUN
from unrolled.workshop.looking import Reader, TextLook, at_least_one, show
from unrolled.workshop.messages import Message

if TYPE_CHECKING:
    from unrolled.diagnostics.ranking import Follower, Text
    from unrolled.models.language_model import LanguageModel
    from unrolled.workshop.run import Run

#: Fields that name a run, or where figures go: a run that is open has no need of them.
NOT_OF_A_LOOK = {"run", "runs", "cell", "svg", "json", "npy", "hidden", "beside", "singular_value"}
#: Characters over which the unit that was found is shown.
SHOWN = 600
#: Numbers of a step that can still be read: of its input, its hidden units, its logits and probabilities.
MOST_NUMBERS = 60
Figures = tuple[Figure, ...]


@dataclass(frozen=True)
class UnitsRequest(TextLook):
    """Show all units of a layer over a short text."""

    length: int = 80
    """Characters of the text to read, at most."""
    layer: int = 1
    """Which layer, from 1."""
    gate: Annotated[str, tyro.conf.arg(metavar="NAME")] = ""
    """A gate, or a field of the state: hidden, cell, input, forget … Empty: the first field of the state."""


@dataclass(frozen=True)
class UnitRequest(UnitsRequest):
    """Show what one unit does over a text."""

    length: int = SHOWN
    """Characters of the text to read, at most."""
    unit: int = 1
    """Which unit, from 1. `unrolled inspect ranking` finds telling ones."""


@dataclass(frozen=True)
class RankingRequest(TextLook):
    """Find the units that follow something readable.

    Chosen on one text, confirmed on another, beside the best unit of the network before training.
    """

    length: int = 8192
    """Characters of each of the two texts, at most."""
    confirm: Annotated[str, tyro.conf.arg(metavar="FILE|-|WORDS")] = ""
    """The other text. Empty: what follows the first in --text."""


@dataclass(frozen=True)
class SaliencyRequest(TextLook):
    """Show which symbols before it a forecast hangs on, and how far back; of a run of sentiment, which words its answer
    hangs on."""

    length: int = 200
    """Characters of the text to read, at most."""
    symbol: int = 0
    """Explain the forecast of this symbol of the text, from 2; 0 is the last."""


@dataclass(frozen=True)
class AlternativesRequest(TextLook):
    """Show what came in a text, how likely it was, and what else might have come."""

    rows: int = 20
    """The symbols that surprised most, so many of them; 0 shows every one."""
    best: int = 5
    """How many of the likeliest symbols to show at each place."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(self, "best")
        if self.rows < 0:
            raise OptionError(f"--rows {self.rows}: expected 0 (every symbol) or more")


@dataclass(frozen=True)
class SurpriseRequest(TextLook):
    """Colour a text by how much each symbol surprised the model."""

    length: int = SHOWN
    """Characters of the text to read, at most."""


@dataclass(frozen=True)
class HalfLifeRequest(TextLook):
    """Show how long each unit remembers, read off the gate that keeps."""

    length: int = 2048
    """Characters of the text to read, at most."""
    rows: int = 10
    """The units with the longest memories, so many of them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(self, "rows")


@dataclass(frozen=True)
class SaturationRequest(TextLook):
    """Show how much of the time each gate of a layer is shut or open."""

    length: int = 2048
    """Characters of the text to read, at most."""
    layer: int = 1
    """Which layer, from 1."""


@dataclass(frozen=True)
class NumbersRequest(TextLook):
    """Show every number of a small network, unrolled over a short text."""

    text: Annotated[str, tyro.conf.arg(metavar="FILE|-|WORDS")] = ""
    """A file, - for standard input, or words. Empty: the word of a run of hello."""
    length: int = 17
    """Characters of the text to read, at most."""


def inspect(request: TextLook) -> Iterator[Message]:
    """The figures that the request asks for, one after the other, and a line for each file that was written."""
    from unrolled.workshop.run import Run

    run = Run(folders.open_run(request.run, folders.runs_folder(request.runs), bundled=True), request.cell)
    yield from show(figures_of(run, request), request)


def request_of(what: str, options: Mapping[str, Any]) -> TextLook:
    """The request of `inspect WHAT` with these options. OptionError where there is no such figure or option."""
    named = {action.name.split()[1]: action.request for action in ACTIONS if action.name.startswith("inspect ")}
    requests = {name: request for name, request in named.items() if issubclass(request, TextLook)}
    if what not in requests:
        raise OptionError(f"inspect {what}: expected {', '.join(requests)}.{did_you_mean(what, requests)}")
    known = [field.name for field in fields(requests[what]) if field.name not in NOT_OF_A_LOOK]
    if odd := [name for name in options if name not in known]:
        raise OptionError(f"inspect {what} has no {odd[0]}: expected {', '.join(known)}")
    return requests[what](**options)


def figures_of(run: Run, request: TextLook) -> Figures:
    """What the request asks for, of a run that is open."""
    if isinstance(request, SaliencyRequest) and run.recipe.classifying is not None:
        return answer_saliency(run, request.text, request.length, request.symbol)
    return {**_FIGURES, **OF_RUN}[type(request)](Reader(run), request)


def _units(reader: Reader, request: UnitsRequest) -> Figures:
    from unrolled.diagnostics import units

    read = reader.read(reader.text(request.text, request.length))
    name, values = units.find_signal(units.activity(reader.model, read.symbols), request.layer, request.gate)
    return (units.unit_map(values, read.tokens, f"{reader.run.name}: layer {request.layer}, {name}", name),)


def _unit(reader: Reader, request: UnitRequest) -> Figures:
    from unrolled.diagnostics import units

    read = reader.read(reader.text(request.text, request.length))
    name, values = units.find_signal(units.activity(reader.model, read.symbols), request.layer, request.gate)
    title = f"{reader.run.name}: layer {request.layer}, {name} {request.unit}"
    return (units.unit_text(units.find_unit(values, request.unit), read.tokens, title, name),)


def _ranking(reader: Reader, request: RankingRequest) -> Figures:
    from unrolled.diagnostics import ranking

    fresh = Reader(reader.run, untrained=True).model
    first, second = (_both(reader, fresh, text) for text in reader.texts(request.text, request.confirm, request.length))
    found = ranking.followers(first, second)
    if not found:
        raise DataError(
            f"{request.text or reader.run.folder.path}: too little text to rank units by ({len(first.tokens)} symbols, "
            f"and {len(second.tokens)} to confirm): give a longer one"
        )
    title = f"What single units of {reader.run.name} follow"
    return ranking.ranking_table(found, title), *_best(found, second)


def _both(reader: Reader, fresh: LanguageModel, text: str) -> Text:
    from unrolled.diagnostics import ranking, units

    read = reader.read(text)
    return ranking.Text(read.tokens, units.activity(reader.model, read.symbols), units.activity(fresh, read.symbols))


def _best(found: list[Follower], text: Text) -> Figures:
    """The unit that follows a yes-or-no label best of all, over the text on which it was confirmed."""
    from unrolled.diagnostics import ranking, units
    from unrolled.diagnostics.labels import YES_OR_NO

    for one in found:
        if one.measure == ranking.AUC:
            # From a little before the first place where there is something to see.
            label = ranking.labelled(text.tokens, {one.label: YES_OR_NO[one.label]})[one.label]
            start = max(int(label.argmax()) - SHOWN // 4, 0)
            part = slice(start, start + SHOWN)
            title = f"{ranking.unit_name(one)} is {'high' if one.sign > 0 else 'low'} {one.label}"
            values = text.trained[one.layer - 1][one.signal][part, one.unit - 1]
            return (units.unit_text(values, text.tokens[part], title, one.signal),)
    return ()


def _saliency(reader: Reader, request: SaliencyRequest) -> Figures:
    from unrolled.diagnostics import saliency

    read = reader.read(reader.text(request.text, request.length))
    place = request.symbol - 1 if request.symbol else len(read.symbols) - 1
    one = saliency.saliency(reader.model, read.symbols, [place])
    several = saliency.saliency(reader.model, read.symbols, saliency.spread_places(len(read.symbols)))
    return (
        saliency.strength_text(one, read.tokens),
        saliency.product_text(one, read.tokens),
        saliency.reach(several),
    )


def _alternatives(reader: Reader, request: AlternativesRequest) -> Figures:
    from unrolled.diagnostics import surprise

    read = reader.read(reader.text(request.text, request.length))
    found = surprise.surprise(reader.model, read.symbols, alternatives=request.best)
    return (surprise.alternatives_table(found, reader.name, request.rows or None),)


def _surprise(reader: Reader, request: SurpriseRequest) -> Figures:
    from unrolled.diagnostics import surprise

    read = reader.read(reader.text(request.text, request.length))
    found = surprise.surprise(reader.model, read.symbols)
    title = f"What surprised {reader.run.name}: {found.mean():.3f} nats a symbol"
    return (surprise.coloured_text(found, read.tokens, reader.model.vocabulary_size, title),)


def _half_life(reader: Reader, request: HalfLifeRequest) -> Figures:
    from unrolled.diagnostics import half_life, units

    names = [half_life.keeping_gate(layer[0]) for layer in reader.model.recurrent.cells()]
    read = reader.read(reader.text(request.text, request.length))
    layers = units.activity(reader.model, read.symbols)
    gates = [layer[name] for layer, name in zip(layers, names, strict=True)]
    lives = [half_life.half_lives(gate) for gate in gates]
    return half_life.half_life_curves(lives), half_life.half_life_table(lives, gates, request.rows)


def _saturation(reader: Reader, request: SaturationRequest) -> Figures:
    from unrolled.diagnostics import gates, units

    read = reader.read(reader.text(request.text, request.length))
    layers = units.activity(reader.model, read.symbols)
    units.find_signal(layers, request.layer)
    signals = layers[request.layer - 1]
    return gates.saturation_points(signals), gates.saturation_table(signals)


def _numbers(reader: Reader, request: NumbersRequest) -> Figures:
    from unrolled.diagnostics.numbers import step_table

    model, word = small(reader), reader.run.assets.get("word", "")
    read = reader.read(reader.text(request.text or word, request.length))
    names = [reader.name(symbol).strip("'") for symbol in range(model.vocabulary_size)]
    return (step_table(model, read.symbols, names),)


def small(reader: Reader) -> LanguageModel:
    """The model, where its numbers can still be read. OptionError where there are too many."""
    model = reader.model
    units = sum(cell.output_size for layer in model.recurrent.cells() for cell in layer)
    if units + 3 * model.vocabulary_size > MOST_NUMBERS:
        raise OptionError(
            f"{reader.run.folder.path}: {units} hidden units and {model.vocabulary_size} symbols make too many numbers "
            "to show: look into a network as small as that of `unrolled train hello`"
        )
    return model


_FIGURES: dict[type, Callable[[Reader, Any], Figures]] = {
    UnitsRequest: _units,
    UnitRequest: _unit,
    RankingRequest: _ranking,
    SaliencyRequest: _saliency,
    AlternativesRequest: _alternatives,
    SurpriseRequest: _surprise,
    HalfLifeRequest: _half_life,
    SaturationRequest: _saturation,
    NumbersRequest: _numbers,
}
