"""`inspect reading`: all that there is to see while a network reads a text, as numbers for a face that draws them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from unrolled.workshop import disk
from unrolled.workshop import folder as folders
from unrolled.workshop.looking import Reader, TextToRead, at_least_one
from unrolled.workshop.messages import Activity, Message, Note, TextRead

if TYPE_CHECKING:
    import numpy as np

    from unrolled.diagnostics.surprise import Surprise


@dataclass(frozen=True)
class ReadingRequest(TextToRead):
    """Give what every unit of a layer does over a text, how likely each symbol was, and what else might have come."""

    layer: int = 1
    """Which layer, from 1."""
    gate: Annotated[str, tyro.conf.arg(metavar="NAME")] = ""
    """Only this gate, or field of the state. Empty: all that the layer has."""
    best: int = 5
    """How many of the likeliest symbols to tell at each place."""
    npy: Annotated[str, tyro.conf.arg(metavar="FILE")] = ""
    """Write the units' numbers, (units, symbols), to this file, as an array of NumPy; a second gate to NAME-2.npy …"""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(self, "best")


def inspect_reading(request: ReadingRequest) -> Iterator[Message]:
    """A `TextRead`; then an `Activity` for each field of the state and each gate, and a line for each file written."""
    from unrolled.diagnostics import surprise, units
    from unrolled.workshop.run import Run

    run = Run(folders.open_run(request.run, folders.runs_folder(request.runs), bundled=True), request.cell)
    reader = Reader(run)
    read = reader.read(reader.text(request.text, request.length))
    found = surprise.surprise(reader.model, read.symbols, alternatives=request.best)
    layers = units.activity(reader.model, read.symbols)
    first, _ = units.find_signal(layers, request.layer, request.gate)
    signals = layers[request.layer - 1]
    names = (first,) if request.gate else tuple(signals)
    yield _text_read(reader, read.tokens, found, len(layers), names)
    arrays = [signals[name].t().contiguous().numpy().astype("<f2") for name in names]
    for name, array in zip(names, arrays, strict=True):
        yield Activity(request.layer, name, len(array), len(read.tokens), array.tobytes())
    for number, (name, array) in enumerate(zip(names, arrays, strict=True) if request.npy else (), 1):
        path = Path(request.npy) if number == 1 else Path(request.npy).with_stem(f"{Path(request.npy).stem}-{number}")
        disk.write_whole(path, _npy(array))
        yield Note(f"{path}: layer {request.layer}, {name}, as an array")


def _text_read(
    reader: Reader, tokens: tuple[str, ...], found: Surprise, layers: int, signals: tuple[str, ...]
) -> TextRead:
    vocabulary = [reader.plain_name(symbol) for symbol in range(reader.model.vocabulary_size)]
    alternatives = [(), *(tuple(vocabulary[symbol] for symbol in row) for row in found.alternatives[1:].tolist())]
    likely = [(), *map(tuple, found.alternative_log_probabilities[1:].tolist())]
    own = (None, *found.log_probabilities[1:].tolist())
    return TextRead(reader.run.name, tokens, own, tuple(alternatives), tuple(likely), layers, signals)


def _npy(array: np.ndarray) -> bytes:
    import numpy as np

    written = io.BytesIO()
    np.save(written, array, allow_pickle=False)
    return written.getvalue()
