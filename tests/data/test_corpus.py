"""A text becomes symbols once, whatever its size, and every bad text is answered."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data import corpus as corpus_module
from unrolled.data import reading
from unrolled.data.corpus import load_corpus, split
from unrolled.data.vocabulary import BPEVocabulary, ByteVocabulary, CharacterVocabulary
from unrolled.errors import DataError, OptionError

SAMPLE = "Whose woods these are I think I know.\nHis house is in the village, though;\n" * 30
WIDE = "naïve 日本語 🙂 " + "".join(chr(0x4E00 + place) for place in range(300)) + "\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("content", [SAMPLE, WIDE])
def test_characters_of_the_whole_text(tmp_path: Path, content: str) -> None:
    path = write(tmp_path / "book.txt", content)
    corpus = load_corpus([path])
    expected = sorted(set(content))
    assert corpus.ids.tolist() == [expected.index(character) for character in content]
    assert corpus.ids.dtype == (np.uint8 if len(expected) <= 256 else np.uint16)
    assert corpus.digest == hashlib.sha256(content.encode()).hexdigest()
    assert corpus.summary == f"book.txt: {len(content):,} characters, {len(expected)} distinct"
    assert corpus.vocabulary.decode(corpus.ids) == content


def test_the_ids_are_mapped_and_read_only(tmp_path: Path) -> None:
    corpus = load_corpus([write(tmp_path / "a.txt", SAMPLE)])
    assert isinstance(corpus.ids, np.memmap)
    assert corpus.cached
    with pytest.raises(ValueError, match="read-only"):
        corpus.ids[0] = 1


def test_bytes_take_any_file(tmp_path: Path) -> None:
    content = bytes(range(256)) * 3
    corpus = load_corpus([write(tmp_path / "a.bin", content)], symbols="bytes")
    assert bytes(corpus.ids.tolist()) == content
    assert corpus.vocabulary.size == 256


@pytest.mark.parametrize("chunk", [64, 1 << 20])
def test_pieces_do_not_depend_on_the_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(reading, "CHUNK", chunk)
    content = SAMPLE + "a  b \n\n  c\n\nd it's  " + WIDE
    corpus = load_corpus([write(tmp_path / "a.txt", content)], symbols="bpe", bpe_size=300)
    assert corpus.vocabulary.decode(corpus.ids) == content
    assert corpus.ids.tolist() == corpus.vocabulary.encode(content).tolist()


def test_pieces_are_learnt_from_the_training_part_alone(tmp_path: Path) -> None:
    known = "abcabc abcabc\n" * 100
    paths = [write(tmp_path / f"{name}.txt", known + name * 1400) for name in ("x", "y")]
    first, second = (
        load_corpus([path], symbols="bpe", bpe_size=280, train_fraction=0.5).vocabulary.to_assets() for path in paths
    )
    assert first == second
    whole = load_corpus([paths[0]], symbols="bpe", bpe_size=280, train_fraction=1.0).vocabulary.to_assets()
    assert whole != first


@pytest.fixture(scope="module")
def pieces() -> BPEVocabulary:
    return BPEVocabulary.learn(iter(["a a    a\n\n\na ab's abs 11, 1\n   b\n" * 50]), 280)


@given(st.text(st.sampled_from("ab1', \n"), max_size=60))
def test_seams_are_where_no_piece_reaches_across(pieces: BPEVocabulary, content: str) -> None:
    cut = list(corpus_module._at_seams(iter(content)))
    assert "".join(cut) == content
    assert [symbol for part in cut for symbol in pieces.encode(part)] == pieces.encode(content).tolist()


def test_a_text_without_seams_is_cut_all_the_same() -> None:
    pieces = list(corpus_module._at_seams(iter(["a" * 10] * 10), most=25))
    assert "".join(pieces) == "a" * 100
    assert max(map(len, pieces)) <= 35


def test_several_files_are_one_text(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    write(folder / "b.txt", "second")
    write(folder / "a.txt", "first")
    write(folder / "c.txt", b"bin\0ary")
    write(folder / "d.txt.gz", gzip.compress(b"\xef\xbb\xbfthird"))
    corpus = load_corpus([folder])
    assert corpus.vocabulary.decode(corpus.ids) == "first\nsecond\nthird"
    assert corpus.summary.startswith("books: 3 files, 18 characters, ")
    assert corpus.summary.endswith("; 1 binary files passed over (c.txt)")


def test_a_second_time_nothing_is_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.txt", SAMPLE)
    first = load_corpus([path])
    monkeypatch.setattr(corpus_module, "_encode", None)
    monkeypatch.setattr(corpus_module, "_learn", None)
    for again in (load_corpus([path]), load_corpus([write(tmp_path / "copy.txt", SAMPLE)])):
        assert again.ids.tolist() == first.ids.tolist()
        assert again.vocabulary.to_assets() == first.vocabulary.to_assets()
        assert again.cached


def test_other_settings_are_other_files(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "a.txt", "é text of some length")
    read = [
        load_corpus([path]),
        load_corpus([path], encoding="latin-1"),
        load_corpus([path], symbols="bytes"),
        load_corpus([path], symbols="bpe", bpe_size=256),
        load_corpus([path], symbols="bpe", bpe_size=260),
        load_corpus([path], vocabulary=CharacterVocabulary("é texofsmlngh")),
    ]
    assert len(list((cache / "encoded").iterdir())) == len(read)
    for corpus in (read[0], *read[3:]):
        assert corpus.vocabulary.decode(corpus.ids) == "é text of some length"
    assert read[1].vocabulary.decode(read[1].ids) == "Ã© text of some length"


@pytest.mark.parametrize("harm", ["flip a symbol", "cut", "empty", "flip the trailer", "other", "append"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, cache: Path, harm: str) -> None:
    path = write(tmp_path / "a.txt", SAMPLE)
    expected = load_corpus([path]).ids.tolist()
    [kept] = (cache / "encoded").iterdir()
    whole = kept.read_bytes()
    flipped = bytearray(whole)
    flipped[len(SAMPLE) // 2 if harm == "flip a symbol" else len(whole) - 40] ^= 1
    kept.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "empty": b"",
            "other": b"something else altogether, of some length",
            "append": whole + b"x",
        }.get(harm, bytes(flipped))
    )
    again = load_corpus([path])
    assert again.ids.tolist() == expected
    assert kept.read_bytes() == whole


def test_a_vocabulary_that_is_given_is_kept_to(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "abba")
    vocabulary = CharacterVocabulary("xba")
    corpus = load_corpus([path], vocabulary=vocabulary, symbols="bytes")
    assert corpus.ids.tolist() == [2, 1, 1, 2]
    assert corpus.vocabulary is vocabulary
    assert load_corpus([path], vocabulary=ByteVocabulary()).ids.tolist() == list(b"abba")


@pytest.mark.parametrize("chunk", [4, 1 << 20])
def test_characters_that_a_model_lacks_are_named_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path, chunk: int
) -> None:
    monkeypatch.setattr(reading, "CHUNK", chunk)
    paths = [write(tmp_path / "a.txt", "abba\n"), write(tmp_path / "b.txt", "ab\nba ab🙂é\né\n")]
    with pytest.raises(DataError) as refusal:
        load_corpus(paths, vocabulary=CharacterVocabulary("ab \n"))
    assert str(refusal.value) == (
        f"{paths[1]}, line 2, column 6: 2 characters that the model does not know, from here on 3 times: "
        "'é' (U+00E9) × 2, '🙂' (U+1F642) × 1. Replace or remove them, or train a new model on this text"
    )
    assert not list(cache.rglob("*.ids"))


@pytest.mark.parametrize(
    ("content", "symbols", "said"),
    [
        (b"", "characters", "empty, where a text was expected"),
        (b"", "bytes", "empty, where a text was expected"),
        (b"", "bpe", "empty, where a text was expected"),
        (b"\xef\xbb\xbf", "characters", "empty, where a text was expected"),
        ("é", "characters", "only one character, so there is nothing to predict"),
        (b"a", "bytes", "only one byte, so"),
        (b"a\xff", "characters", r"not utf-8 at byte 1, line 1"),
        (b"a\0", "characters", "a binary file"),
    ],
)
def test_a_bad_text_is_answered_with_its_name(tmp_path: Path, content: str | bytes, symbols: str, said: str) -> None:
    path = write(tmp_path / "bad.txt", content)
    for _ in range(2):  # the second time from the cache, where there is something in it
        with pytest.raises(DataError, match=rf"^{path}: {said}"):
            load_corpus([path], symbols=symbols)


def test_options_out_of_range(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", SAMPLE)
    with pytest.raises(OptionError, match="--encoding klingon"):
        load_corpus([path], encoding="klingon")
    with pytest.raises(OptionError, match="--symbols words: characters, bytes or bpe"):
        load_corpus([path], symbols="words")
    with pytest.raises(OptionError, match="a train fraction above 0"):
        load_corpus([path], symbols="bpe", train_fraction=0.0)


def test_a_text_that_changes_meanwhile_is_not_kept(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.txt", SAMPLE)
    digest = reading.digest

    def then_append(parts: list[reading.Part]) -> str:
        found = digest(parts)
        with path.open("a") as file:
            file.write("more of it\n")
        return found

    monkeypatch.setattr(reading, "digest", then_append)
    with pytest.raises(DataError, match="changed while it was read"):
        load_corpus([path])
    assert [file for file in cache.rglob("*") if file.is_file()] == []


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", SAMPLE)
    file = write(tmp_path / "file", "in the way")
    corpus = load_corpus([path], cache_folder=file)
    assert corpus.vocabulary.decode(corpus.ids) == SAMPLE
    assert not corpus.cached
    assert f"; kept in memory, since {file / 'encoded'} cannot be written" in corpus.summary
    assert not corpus.ids.flags.writeable


def test_without_permission_on_the_cache(open_folder: Path, as_nobody) -> None:
    path = write(open_folder / "a.txt", SAMPLE)
    path.chmod(0o644)
    closed = open_folder / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    with as_nobody():
        corpus = load_corpus([path], cache_folder=closed)
    assert "cannot be written (Permission denied)" in corpus.summary
    assert list(closed.iterdir()) == []


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "a.txt", SAMPLE * 100)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(DataError, match=r"encoded: no room for the encoded text .*UNROLLED_CACHE"):
            load_corpus([path])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((cache / "encoded").iterdir()) == []
    assert load_corpus([path]).cached


def run(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


RACE = """
import contextlib, hashlib, os, sys, time
from unrolled.data.corpus import load_corpus
while not os.path.exists(sys.argv[2]): time.sleep(0.001)
for number in range(20):
    corpus = load_corpus([sys.argv[1]])
    print(hashlib.sha256(corpus.ids.tobytes()).hexdigest(), corpus.cached)
    for name in os.listdir(sys.argv[3]):
        if name.endswith(".ids"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(sys.argv[3], name))
"""


def test_two_processes_may_encode_the_same_text_at_once(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "a.txt", SAMPLE * 200)
    folder = cache / "encoded"
    folder.mkdir(parents=True)
    racing = [run(RACE, path, tmp_path / "go", folder) for _ in range(2)]
    write(tmp_path / "go", "")
    said = [process.communicate(timeout=60) for process in racing]
    assert [process.returncode for process in racing] == [0, 0], said
    table = sorted(set(SAMPLE))
    expected = hashlib.sha256(bytes(table.index(character) for character in SAMPLE * 200)).hexdigest()
    assert set("".join(out for out, _ in said).split("\n")) == {f"{expected} True", ""}
    assert not list(folder.glob(".*"))


MEMORY = """
import re, sys, threading, time
import numpy as np
from unrolled.data.corpus import load_corpus
from pathlib import Path
warm = load_corpus([sys.argv[2]])
def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = highest = anonymous()
done = False
def watch():
    global highest
    while not done:
        highest = max(highest, anonymous())
        time.sleep(0.002)
watcher = threading.Thread(target=watch); watcher.start()
corpus = load_corpus([sys.argv[1]])
total = sum(int(corpus.ids[i : i + (1 << 20)].sum(dtype=np.int64)) for i in range(0, len(corpus.ids), 1 << 20))
done = True; watcher.join()
print(len(corpus.ids), (highest - before) // 1024)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="only Linux tells anonymous memory apart")
def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    letters = "".join(random.Random(0).choices("abcdefgh é\n", k=1 << 20))
    big, small = tmp_path / "big.txt", write(tmp_path / "small.txt", SAMPLE)
    with big.open("w", encoding="utf-8") as file:
        for _ in range(60):
            file.write(letters)
    out, err = run(MEMORY, big, small).communicate(timeout=60)
    assert err == ""
    count, megabytes = map(int, out.split())
    assert count == 60 << 20
    assert megabytes < 40  # the ids alone are 60, the text is 65


@given(
    st.integers(1, 2000),
    st.sampled_from([(0.9, 0.1), (0.8, 0.1, 0.1), (0.88, 0.02, 0.1), (0.7, 0.0, 0.3), (1.0,), (1 / 3, 1 / 3, 1 / 3)]),
    st.integers(1, 30),
)
def test_parts_are_views_by_position(size: int, fractions: tuple[float, ...], window: int) -> None:
    ids = np.arange(size, dtype=np.uint16)
    enough = math.ceil((window + 2) / min(fraction for fraction in fractions if fraction))
    try:
        parts = split(ids, fractions, window)
    except DataError as error:
        assert size < enough
        assert f"{size:,} symbols" in str(error)
        assert f"{enough:,} symbols or more" in str(error)
        assert "--window" in str(error)
        return
    assert np.concatenate(parts).tolist() == ids.tolist()
    assert all(np.shares_memory(part, ids) for part in parts if len(part))
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(len(part) - size * fraction) < 1 + 1e-9
        assert len(part) == 0 if fraction == 0 else len(part) > window


def test_the_borders_are_where_others_put_them() -> None:
    ids = np.zeros(1_115_394, dtype=np.uint8)
    assert len(split(ids, (0.9, 0.1))[0]) == int(0.9 * 1_115_394) == 1_003_854
    train, valid, _ = split(ids, (0.8, 0.1, 0.1))
    assert len(train) + len(valid) == 1_003_854
    # 0.8 + 0.1 is a little less than 0.9 in binary: the border must not slip for that.
    assert [len(part) for part in split(np.zeros(1000, np.uint8), (0.7, 0.1, 0.1, 0.1))] == [700, 100, 100, 100]


def test_fractions_must_add_up() -> None:
    for wrong in ((0.9, 0.2), (0.5,), (1.1, -0.1)):
        with pytest.raises(OptionError, match="fractions that add up to 1 were expected"):
            split(np.zeros(100), wrong)
