"""Generated data that stands in for the real sets, so that tests need none of them."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import numpy as np

SENTENCE = "the cat sat on a mat and saw that rain fell in spain when no one was there to see it"
WORDS = SENTENCE.split()


def write_text(file: Path, characters: int = 6000, seed: int = 0) -> Path:
    """Sentences of a few words, with a grammar of sorts: capital first, full stop last, a line each."""
    draw = random.Random(seed)
    lines: list[str] = []
    while sum(len(line) for line in lines) < characters:
        words = draw.choices(WORDS, k=draw.randint(3, 9))
        lines.append(" ".join(words).capitalize() + ".\n")
    file.write_text("".join(lines)[:characters], encoding="utf-8")
    return file


def write_names(file: Path, count: int = 400, seed: int = 0) -> Path:
    """Names of two or three syllables."""
    draw = random.Random(seed)
    syllables = [consonant + vowel for consonant in "bdklmnrst" for vowel in "aeiou"]
    names = ["".join(draw.choices(syllables, k=draw.randint(2, 3))) for _ in range(count)]
    file.write_text("\n".join(names) + "\n", encoding="utf-8")
    return file


def write_pictures(file: Path, count: int = 60, side: int = 8, seed: int = 0) -> Path:
    """A zip archive of coloured noise in three classes, each with a brighter channel of its own."""
    import numpy as np
    from PIL import Image

    draw = np.random.default_rng(seed)
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(count):
            values = draw.integers(0, 160, (side, side, 3), dtype=np.uint8)
            values[..., number % 3] += 90
            out = io.BytesIO()
            Image.fromarray(values).save(out, "PNG")
            archive.writestr(f"{'abc'[number % 3]}/{number:03d}.png", out.getvalue())
    return file


def write_digits(file: Path, train: int = 60, test: int = 20, seed: int = 0) -> Path:
    """Pictures of 28 × 28 in the form of the real ones: the digit d is a bright bar, d + 1 pixels long, on grey."""
    draw = np.random.default_rng(seed)
    arrays = {}
    for pictures, digits, count in (("x", "y", train), ("xt", "yt", test)):
        arrays[digits] = draw.integers(0, 10, count)
        arrays[pictures] = draw.integers(0, 60, (count, 28, 28)).astype(np.uint8)
        for picture, digit in zip(arrays[pictures], arrays[digits], strict=True):
            picture[10:18, 8 : 9 + digit] = 255
    np.savez_compressed(file, **arrays)
    return file


def write_reviews(file: Path, count: int = 120, seed: int = 0) -> Path:
    """A table of texts in quotes, and stars: a good word makes 5, a bad one 1; the other words say nothing."""
    draw = random.Random(seed)
    rows = ["id;comment;stars"]
    for number in range(count):
        good = draw.random() < 0.5
        words = draw.choices(WORDS, k=draw.randint(2, 9))
        words.insert(draw.randrange(len(words) + 1), draw.choice(["lovely", "fine"] if good else ["awful", "dull"]))
        rows.append(f'{number};"{" ".join(words)}; no more";{5 if good else 1}')
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def write_columns(file: Path, sentences: int = 80, seed: int = 0) -> Path:
    """Sentences in columns: word, part of speech, chunk. A noun is told by its ending, a chunk by what is before it."""
    draw = random.Random(seed)
    lines = []
    for _ in range(sentences):
        for _ in range(draw.randint(1, 4)):
            noun = "".join(draw.choices("bdkl", k=2)) + "er"
            lines += [f"the DT B-NP\n{noun} NN I-NP\n{''.join(draw.choices('aeou', k=3))}ed VBD B-VP"]
        lines += [". . O\n"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def write_by_class(file: Path, count: int = 60, seed: int = 0) -> Path:
    """An archive with a file for each of two classes, one text a line."""
    draw = random.Random(seed)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("opinions/README.txt", "what this is")
        for name, word in (("neg", "awful"), ("pos", "lovely")):
            lines = [" ".join([*draw.choices(WORDS, k=draw.randint(2, 8)), word]) for _ in range(count)]
            archive.writestr(f"opinions/made.{name}", "\n".join(lines) + "\n")
    return file


def write_series(file: Path, days: int = 160, beside: tuple[str, ...] = ("rain",)) -> Path:
    """Days with a season of ten and columns of numbers beside; some rows are missing and some cells empty."""
    draw = np.random.default_rng(0)
    rows = [",".join(["day", "warmth", *beside])]
    for day in range(days):
        if day % 37 != 5:
            warmth = 10 + 3 * np.sin(2 * np.pi * day / 10) + draw.normal()
            others = [f"{max(0.0, draw.normal()):.2f}" if day % 41 else "" for _ in beside]
            date = np.datetime64("2020-01-01") + np.timedelta64(day, "D")
            rows.append(",".join([str(date), f"{warmth:.2f}", *others]))
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def write_translations(file: Path, count: int = 150, seed: int = 0) -> Path:
    """Sentences and, behind a tab, what stands for their translation: each word spelt backwards, in capitals."""
    draw = random.Random(seed)
    lines = []
    for _ in range(count):
        words = draw.choices(WORDS, k=draw.randint(2, 6))
        lines.append(f"{' '.join(words)}.\t{' '.join(word[::-1].upper() for word in words)}.\n")
    file.write_text("".join(lines), encoding="utf-8")
    return file


def write_trees(file: Path, count: int = 60, seed: int = 0) -> Path:
    """Sentences of a noun phrase and a verb phrase, some with a prepositional phrase, in brackets."""
    draw = random.Random(seed)

    def nouns() -> str:
        return f"(NP (DT {draw.choice(['the', 'a'])}) (NN {draw.choice(['cat', 'dog', 'man', 'tree'])}))"

    def more() -> str:
        return f" (PP (IN {draw.choice(['near', 'with'])}) {nouns()})" if draw.random() < 0.5 else ""

    lines = [
        f"(ROOT (S {nouns()} (VP (VBZ {draw.choice(['sees', 'likes'])}) {nouns()}{more()}) (. .)))\n"
        for _ in range(count)
    ]
    file.write_text("".join(lines), encoding="utf-8")
    return file


def write_play(file: Path, speeches: int = 2000, seed: int = 0) -> Path:
    """Three who speak in turn, each with a word of their own."""
    draw = random.Random(seed)
    speakers = ["First Cat", "ROMEO", "Rain"]
    blocks = []
    for number in range(speeches):
        name = speakers[number % 3]
        blocks.append(f"{name}:\n{' '.join(draw.choices(WORDS, k=3))} {name.lower()}.\n")
    file.write_text("\n".join(blocks), encoding="utf-8")
    return file


#: Words that rhyme with each other, and with no others: how the rest of each is spoken, and with what they begin.
RHYMING = {"AE1 T": "at", "IH1 L": "ill", "EY1": "ay"}
BEGINNINGS = "bcdfghklmnprstvw"


def write_poems(file: Path, scheme: str = "AA", count: int = 1500, seed: int = 0) -> Path:
    """Lines of two words; those of the same letter rhyme."""
    draw = random.Random(seed)
    poems = []
    for _ in range(count):
        endings = {letter: draw.choice(list(RHYMING.values())) for letter in scheme}
        beginnings = draw.sample(BEGINNINGS, len(scheme))
        lines = [
            f"{draw.choice(WORDS[:5])} {beginning}{endings[letter]},\n"
            for beginning, letter in zip(beginnings, scheme, strict=True)
        ]
        poems.append("".join(lines))
    file.write_text("\n".join(poems), encoding="utf-8")
    return file


def write_pronunciations(file: Path) -> Path:
    """The words at the ends of those lines, in the form of CMU's dictionary."""
    spoken = [f"{one}{spelt}  {one} {sounds}".upper() for sounds, spelt in RHYMING.items() for one in BEGINNINGS]
    file.write_text(";;; generated\n" + "\n".join(spoken) + "\n", encoding="utf-8")
    return file


def options_for(recipe: str, folder: Path) -> dict:
    """Small options and generated data for each recipe, by its name."""
    match recipe:
        case "hello":
            return {}
        case "min-char-rnn":
            return {"data": str(write_text(folder / "text.txt", 800))}
        case "char-lm":
            small = {"sizes": (16,), "embedding": 8, "batch_size": 4, "window": 16, "dtype": "float32"}
            return {"data": str(write_text(folder / "text.txt")), "split": (0.8, 0.1, 0.1), "dropout": 0.1, **small}
        case "war-and-peace":
            small = {"sizes": (16,), "embedding": 8, "batch_size": 4, "window": 16, "dtype": "float32", "n_gram": 3}
            return {"data": str(write_text(folder / "text.txt")), **small}
        case "names":
            small = {"sizes": (16,), "embedding": 8, "batch_size": 8}
            return {"data": str(write_names(folder / "names.txt")), "held_out": 20, **small}
        case "lyrics":
            small = {
                "sizes": (16,),
                "embedding": 8,
                "batch_size": 4,
                "window": 16,
                "dtype": "float32",
                "scheme": "AA",
            }
            spoken = str(write_pronunciations(folder / "spoken.txt"))
            return {"data": str(write_poems(folder / "poems.txt")), "pronunciations": spoken, **small}
        case "script":
            small = {"sizes": (16,), "embedding": 8, "batch_size": 4, "window": 16, "dtype": "float32", "n_gram": 3}
            return {"data": str(write_play(folder / "play.txt")), **small}
        case "residual-depth":
            small = {"blocks": 1, "width": 4, "batch_size": 8, "dtype": "float32"}
            return {"data": str(write_pictures(folder / "pictures.zip")), **small}
        case "adding":
            return {"length": 20, "sizes": (16,), "batch_size": 8}
        case "copy-memory":
            return {"delay": 5, "sizes": (16,), "batch_size": 8}
        case "permuted-pixels":
            return {"data": str(write_digits(folder / "digits.npz")), "sizes": (8,), "batch_size": 8}
        case "who-is-he":
            return {"embedding": 8, "sizes": (16,), "batch_size": 8}
        case "sentiment":
            small = {"embedding": 8, "sizes": (8,), "batch_size": 8}
            return {"data": str(write_reviews(folder / "reviews.csv")), **small}
        case "tagging":
            small = {"embedding": 8, "letters": 4, "sizes": (8,), "batch_size": 8}
            return {"data": str(write_columns(folder / "words.conll")), **small}
        case "is-it-raining":
            return {"sizes": (16,), "batch_size": 8}
        case "convex-hull" | "delaunay" | "salesman":
            return {"points": (5, 6), "sizes": (8,), "batch_size": 8, "held_out": 3}
        case "temperature" | "forecast":
            small = {"window": 12, "horizon": 3, "period": 10.0, "sizes": (8,), "batch_size": 8}
            return {"data": str(write_series(folder / "series.csv")), "target": "warmth", **small}
        case "weather":
            small = {"window": 12, "period": 10.0, "sizes": (8,), "batch_size": 8}
            return {"data": str(write_series(folder / "series.csv")), "target": "rain", **small}
        case "translate":
            small = {"embedding": 8, "sizes": (8,), "batch_size": 8, "vocabulary": 300, "dtype": "float32"}
            return {"data": str(write_translations(folder / "pairs.tsv")), **small}
        case "parse":
            small = {"embedding": 8, "sizes": (8,), "batch_size": 8, "dtype": "float32"}
            return {"data": str(write_trees(folder / "trees.ptb")), **small}
    raise ValueError(f"no stand-in data for the recipe {recipe!r}: add it to tests/recipes/stand_in.py")
