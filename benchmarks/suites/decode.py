"""How quickly translations are written: an encoder–decoder as large as `translate` trains, greedy and by a beam."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from unrolled.cells.gru import GRU
from unrolled.generation.beam import beam_search
from unrolled.models.encoder_decoder import EncoderDecoder
from unrolled.workshop.results import Figure

SUMMARY = "Symbols a second that an encoder–decoder with attention writes, on one thread: greedy and by a beam of five"
#: Pieces, features, units, and symbols of each source and of what is written from it: as for Multi30k.
V, E, H, READ, WRITTEN = 4000, 256, 256, 16, 16
#: Sentences side by side, and how many beginnings of each are kept.
POINTS = ((1, 1), (1, 5), (64, 1), (64, 5))
#: Runs that count, after one that does not.
RUNS = 9


def measure() -> Iterator[Figure]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(0)
        model = EncoderDecoder(GRU, V, V, E, (H,), attention="additive", tied=True).eval()
        for rows, width in POINTS:
            seconds = [timed(model, rows, width) for _ in range(RUNS + 1)][1:]
            name = f"{rows} sentence{'s' if rows > 1 else ''}, {'greedy' if width == 1 else f'beam {width}'}"
            yield Figure(name, "symbols/s", tuple(round(rows * WRITTEN / one) for one in seconds))
    finally:
        torch.set_num_threads(threads)


def timed(model: EncoderDecoder, rows: int, width: int) -> float:
    """Seconds from the sources to what is written: no symbol ends a text here, so that each runs to WRITTEN symbols."""
    source, lengths = torch.randint(V, (READ, rows)), torch.full((rows,), READ)
    began = time.perf_counter()
    with torch.inference_mode():
        state = model.encode(source, lengths)
        found = beam_search(model.stepper(), state, torch.zeros(1, rows, dtype=torch.int64), width, WRITTEN)
    seconds = time.perf_counter() - began
    assert all(len(texts[0].symbols) == WRITTEN for texts in found)
    return seconds
