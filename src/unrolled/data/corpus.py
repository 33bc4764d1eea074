"""A text as symbols, encoded once: kept in a memory-mapped file, so that texts larger than memory work too."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, cast

import numpy as np

from unrolled.data import encoded, reading, text
from unrolled.data.folders import cache_folder as users_cache_folder
from unrolled.data.vocabulary import (
    CODE_POINTS,
    BPEVocabulary,
    ByteVocabulary,
    CharacterVocabulary,
    Vocabulary,
    code_points,
    describe,
    vocabulary_from_assets,
)
from unrolled.errors import DataError, OptionError

Symbols = Literal["characters", "bytes", "bpe"]

#: Changes whenever the same text would be encoded otherwise.
FORMAT = 1
#: Between words, with nothing but one blank or line end: where byte-pair pieces never reach across.
_SEAM = re.compile(r"(?<=\S)[ \n](?=\S)")


@dataclass(frozen=True)
class Corpus:
    """ids: (N,) symbols, read-only, uint8, uint16 or uint32 by the vocabulary's size.

    digest: SHA-256 of the source's bytes (of one file: what `sha256sum` says of it, unpacked).
    summary: one line for a person. encode_seconds: how long reading and encoding took, about 0 from the cache.
    cached: whether the ids are in a file of the cache, not in memory.
    """

    ids: np.ndarray
    vocabulary: Vocabulary
    digest: str
    summary: str
    encode_seconds: float
    cached: bool


def load_corpus(
    files: Iterable[Path | str],
    *,
    symbols: Symbols = "characters",
    encoding: str = "utf-8",
    bpe_size: int = 1024,
    train_fraction: float = 0.9,
    vocabulary: Vocabulary | None = None,
    cache_folder: Path | None = None,
) -> Corpus:
    """The text of `files`, one after the other, as symbols.

    files: as `text.find_files` takes them; a text is joined to the next by a line end where it lacks its last.
    symbols: without a `vocabulary`, what it is made of: the characters of the whole text (as char-rnn does), bytes,
        or at most `bpe_size` pieces, learnt from the first `train_fraction` of the characters and nothing behind.
    vocabulary: that of a run that is gone on with or fine-tuned; every character must be in it.
    cache_folder: None is the user's. Where it cannot be written the ids stay in memory, and the summary says so.

    DataError for a text that cannot be read, holds fewer than two symbols, or has characters that `vocabulary` lacks.
    Memory beyond the mapped file stays at some tens of megabytes, whatever the text's size (with BPE, also its
    distinct words).
    """
    started = time.perf_counter()
    encoding = reading.check_encoding(encoding)
    if symbols == "bpe" and not 0 < train_fraction <= 1:
        raise OptionError(f"a train fraction above 0 and at most 1 was expected, not {train_fraction}")
    found = files if isinstance(files, text.FoundFiles) else text.find_files(files)
    parts = reading.parts(found)
    digest = reading.digest(parts)
    if vocabulary is not None:
        symbols = cast("Symbols", vocabulary.kind)
    settings = {
        "format": FORMAT,
        "text": digest,
        "symbols": symbols,
        "encoding": None if symbols == "bytes" else encoding,
        "bpe": [bpe_size, train_fraction] if symbols == "bpe" and vocabulary is None else None,
        "vocabulary": None if vocabulary is None else vocabulary.to_assets(),
    }
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    folder = (users_cache_folder() if cache_folder is None else cache_folder) / "encoded"
    path = folder / f"{key}.ids"
    kept = encoded.load(path, key)
    note = ""
    if kept is None:
        source = _Source(found, parts, digest, encoding)
        made = vocabulary or _learn(source, symbols, bpe_size, train_fraction)
        if vocabulary is not None:
            _refuse_unknown(source, vocabulary)
        kept, refusal = encoded.store(path, key, _encode(source, made), made.dtype, made.to_assets())
        if refusal:
            note = f"; kept in memory, since {refusal}"
    vocabulary = vocabulary or vocabulary_from_assets(kept.assets)
    if len(kept.ids) < 2:
        raise _too_little(found, len(kept.ids), vocabulary.unit.removesuffix("s"))
    number = f"{len(parts):,} files, " if len(parts) > 1 else ""
    skipped = f"; {found.skipped}" if found.skipped else ""
    amount = f"{number}{len(kept.ids):,} {vocabulary.unit}, {vocabulary.size:,} distinct"
    return Corpus(
        ids=kept.ids,
        vocabulary=vocabulary,
        digest=digest,
        summary=f"{found.name}: {amount}{skipped}{note}",
        encode_seconds=time.perf_counter() - started,
        cached=isinstance(kept.ids, np.memmap),
    )


def split(ids: np.ndarray, fractions: Sequence[float], window: int = 1) -> list[np.ndarray]:
    """Views of `ids` by position, one a fraction; a fraction of 0 gives an empty part.

    The borders are ⌊N · (sum of the fractions so far)⌋. OptionError where the fractions do not add up to 1.
    DataError where a part that is not empty has no room for one window and the symbol after it.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise OptionError(f"--split {' '.join(map(str, fractions))}: fractions that add up to 1 were expected")
    # Rounded, since 0.8 + 0.1 is a little less than 0.9 in binary, and would put the border one symbol before.
    borders = [0, *(int(len(ids) * round(total, 9)) for total in itertools.accumulate(fractions))]
    pieces = [ids[first:last] for first, last in itertools.pairwise(borders)]
    for fraction, piece in zip(fractions, pieces, strict=True):
        if fraction > 0 and len(piece) < window + 1:
            needed = math.ceil((window + 2) / min(fraction for fraction in fractions if fraction > 0))
            raise DataError(
                f"the text is too short: {len(ids):,} symbols, of which a part of {fraction:g} is {len(piece):,}, and "
                f"one window needs {window + 1:,}. Give a text of {needed:,} symbols or more, larger parts by "
                "--split, or a smaller --window"
            )
    return pieces


class _Source(NamedTuple):
    """A text that can be read through again and again."""

    found: text.FoundFiles
    parts: list[reading.Part]
    digest: str
    encoding: str

    def texts(self) -> Iterator[str]:
        return reading.read_text(self.parts, self.encoding, or_bytes=True)


def _learn(source: _Source, symbols: Symbols, bpe_size: int, train_fraction: float) -> Vocabulary:
    if symbols == "bytes":
        return ByteVocabulary()
    if symbols == "characters":
        seen = np.zeros(CODE_POINTS, dtype=bool)
        for piece in source.texts():
            seen[code_points(piece)] = True
        points = np.flatnonzero(seen)
        if len(points) == 0:
            raise _too_little(source.found, 0)
        return CharacterVocabulary.from_points(points)
    if symbols == "bpe":
        total = sum(len(piece) for piece in source.texts())
        return BPEVocabulary.learn(_at_seams(_first(source.texts(), int(total * train_fraction))), bpe_size)
    raise OptionError(f"--symbols {symbols}: characters, bytes or bpe was expected")


def _encode(source: _Source, vocabulary: Vocabulary) -> Iterator[np.ndarray]:
    """Chunks of symbols, of the vocabulary's own type. DataError where the text is no longer what was digested."""
    changed = f"{_place(source.found)}: changed while it was read: try again when nothing writes to it"
    if isinstance(vocabulary, ByteVocabulary):
        for chunk in reading.read_bytes(source.parts):
            yield np.frombuffer(chunk, dtype=np.uint8)
    elif isinstance(vocabulary, CharacterVocabulary):
        for piece in source.texts():
            ids = vocabulary.look_up(code_points(piece))
            if ids.min() < 0:
                raise DataError(changed)
            yield ids.astype(vocabulary.dtype)
    else:
        for piece in _at_seams(source.texts()):
            yield vocabulary.encode(piece)
    if reading.digest(source.parts) != source.digest:
        raise DataError(changed)


def _refuse_unknown(source: _Source, vocabulary: Vocabulary) -> None:
    """DataError that says which characters of the text the vocabulary lacks, how many, and where the first stands."""
    if not isinstance(vocabulary, CharacterVocabulary):
        return
    lacking: Counter[str] = Counter()
    first = ""
    for part in source.parts:
        line, column = 1, 1
        for piece in reading.read_text([part], source.encoding, or_bytes=True):
            unknown = np.flatnonzero(vocabulary.look_up(code_points(piece)) < 0)
            if len(unknown) and not first:
                place = int(unknown[0])
                before = piece.rfind("\n", 0, place)
                at = (line + piece.count("\n", 0, place), place - before if before >= 0 else column + place)
                first = f"{part.label}, line {at[0]:,}, column {at[1]:,}"
            lacking.update(piece[place] for place in unknown.tolist())
            if (last := piece.rfind("\n")) >= 0:
                line, column = line + piece.count("\n"), len(piece) - last
            else:
                column += len(piece)
    if lacking:
        shown = ", ".join(f"{describe(character)} × {count:,}" for character, count in lacking.most_common(5))
        kinds = f"{len(lacking):,} characters" if len(lacking) > 1 else "a character"
        raise DataError(
            f"{first}: {kinds} that the model does not know, from here on {lacking.total():,} times: "
            f"{shown}{', …' if len(lacking) > 5 else ''}. Replace or remove them, or train a new model on this text"
        )


def _too_little(found: text.FoundFiles, count: int, unit: str = "character") -> DataError:
    if count == 0:
        return DataError(f"{_place(found)}: empty, where a text was expected: name another file")
    return DataError(f"{_place(found)}: only one {unit}, so there is nothing to predict: name a longer text")


def _place(found: text.FoundFiles) -> str:
    return str(found[0]) if len(found) == 1 else found.name


def _first(pieces: Iterator[str], count: int) -> Iterator[str]:
    """The first `count` characters."""
    for piece in pieces:
        if count <= 0:
            return
        yield piece[:count]
        count -= len(piece)


def _at_seams(pieces: Iterator[str], most: int = 1 << 22) -> Iterator[str]:
    """The same text, cut anew between words, so that the pieces of BPE do not depend on the cuts.

    A text without a seam in `most` characters is cut where these end.
    """
    rest = ""
    for piece in pieces:
        rest += piece
        seam = max((match.start() for match in _SEAM.finditer(rest)), default=0)
        if seam == 0 and len(rest) > most:
            seam = len(rest)
        if seam:
            yield rest[:seam]
            rest = rest[seam:]
    if rest:
        yield rest
