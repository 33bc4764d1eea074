"""`translate`: symbols and back, unknown words copied over, the score's signature, data of one's own, mistakes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch

import unrolled
from unrolled.errors import DataError, OptionError
from unrolled.recipes import translate
from unrolled.recipes.sentences import Sentences
from unrolled.recipes.translate import TranslateOptions
from unrolled.workshop.options import with_changes

from .stand_in import options_for, write_translations

DE = ["Ein Mann läuft.", "Ein Hund läuft im Park.", "Zwei Männer laufen."]
EN = ["A man runs.", "A dog runs in the park.", "Two men run."]


@pytest.mark.parametrize("kind", ["bpe", "words"])
def test_symbols_and_back(kind: str) -> None:
    symbols = Sentences.learn(DE, EN, kind, 400, backwards=False)
    for again in (symbols, Sentences.from_assets(symbols.to_assets())):
        for sentence in EN:
            ids = again.target(sentence)
            assert ids.max() < again.start < again.end < again.target_size
            expected = sentence if kind == "bpe" else sentence.lower().replace(".", " .")
            assert again.text(ids, [], np.zeros((9, 0))) == expected
        assert len(again.read(DE[1])) == len(again.source_tokens(DE[1]))
    assert symbols.lowercase == (kind == "words")


def test_backwards_is_the_source_from_its_end() -> None:
    there, back = (Sentences.learn(DE, EN, "words", 400, backwards=which) for which in (False, True))
    assert back.read(DE[1]).tolist() == there.read(DE[1]).tolist()[::-1]
    assert back.source_tokens(DE[1]) == [".", "park", "im", "läuft", "hund", "ein"]
    assert back.target(EN[1]).tolist() == there.target(EN[1]).tolist()


def test_an_unknown_word_comes_from_where_attention_looked() -> None:
    symbols = Sentences.learn(DE, EN, "words", 400, backwards=False)
    ids = [*symbols.target("a man"), 0]
    weights = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.1, 0.7]])
    assert symbols.text(ids, ["ein", "mann", "namens"], weights) == "a man namens"
    assert symbols.text(ids, ["ein", "mann", "namens"], np.zeros((3, 0))) == "a man (unknown)"


def test_words_beyond_the_vocabulary_are_unknown() -> None:
    symbols = Sentences.learn(DE, EN, "words", 3, backwards=False)
    assert symbols.source_size == symbols.start == 3
    assert symbols.read("Ein Hund").tolist()[1] == 0


def test_the_score_is_sacrebleus_and_its_signature_is_the_recipes_unit() -> None:
    score, signature = translate.bleu(["the cat sat on the mat"], ["the cat sat on a mat"], lowercase=False)
    # 1-grams 5/6, 2-grams 3/5, 3-grams 2/4, 4-grams 1/3, no brevity penalty.
    assert score == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25, abs=1e-6)
    without_version = signature.rsplit("|", 1)[0]
    assert all(without_version in unit for unit in translate.RECIPE.units.values())


def small(folder: Path, **changes: object) -> TranslateOptions:
    return with_changes(TranslateOptions(), {**options_for("translate", folder), "threads": 1, **changes})


def test_it_learns_a_language_of_its_own_and_looks_where_it_reads(tmp_path: Path) -> None:
    """Each word spelt backwards, in capitals: learnt within seconds, by words."""
    file = write_translations(tmp_path / "pairs.tsv", 300)
    changes = {"data": str(file), "symbols": "words", "embedding": 32, "sizes": (32,), "batch_size": 16, "rate": 1e-2}
    run = unrolled.train("translate", runs=str(tmp_path), steps=100, threads=1, dropout=0.0, dtype="float32", **changes)
    assert run.evaluate("valid")["BLEU, greedy"] > 25
    symbols = Sentences.from_assets(run.assets["symbols"])
    for beam in (1, 5):
        made, nothing = translate.translate(run.model, symbols, ["the cat sat on a mat.", " "], beam)
        assert nothing.text == "" and nothing.weights.size == 0
        assert made.weights.shape == (len(made.target) + 1, 7)  # six words and a full stop
        np.testing.assert_allclose(made.weights.sum(1), 1, atol=1e-5)


def test_two_files_and_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "a.de").write_text("\n".join(DE * 20), encoding="utf-8")
    (tmp_path / "a.en").write_text("\n".join(EN * 20), encoding="utf-8")
    options = small(tmp_path, data=str(tmp_path / "a.de"), translations=str(tmp_path / "a.en"))
    data = translate.data(options, tmp_path, None)
    assert "48 to train on, 6 to validate, 6 to test" in data.summary
    assert set(data.held_out["test"].sentences) <= set(DE) and set(data.held_out["test"].references) <= set(EN)
    swapped = translate.data(with_changes(options, {"swap": True}), tmp_path, None)
    assert swapped.held_out["test"].sentences == data.held_out["test"].references
    again = translate.data(with_changes(options, {"seed": 5}), tmp_path, None)
    assert again.held_out["valid"].sentences == data.held_out["valid"].sentences


def test_pairs_come_through_standard_input_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = write_translations(tmp_path / "p.tsv").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    piped, again, read = (
        translate.data(small(tmp_path, data=name), tmp_path, None) for name in ("-", "-", str(tmp_path / "p.tsv"))
    )
    assert piped.digest == again.digest == read.digest
    assert piped.held_out["test"].sentences == read.held_out["test"].sentences


def test_a_translation_is_one_line_whatever_is_written() -> None:
    symbols = Sentences.learn(DE, EN, "bpe", 400, backwards=False)
    ids = np.concatenate([symbols.target("A man"), symbols.vocabulary.encode("\n\r"), symbols.target("runs.")])
    assert symbols.text(ids, [], np.zeros((len(ids), 0))) == "A man runs."


def test_without_attention_nothing_is_looked_at(tmp_path: Path) -> None:
    options = small(tmp_path, attention="none")
    data = translate.data(options, tmp_path, None)
    torch.manual_seed(0)
    model = translate.model(options, data.assets)
    (made,) = translate.translate(model, data.held_out["valid"].symbols, ["the cat"], 2)
    assert made.weights.shape[1] == 0 and model.attention is None


@pytest.mark.parametrize(
    ("option", "error", "said"),
    [
        ({"vocabulary": 100}, OptionError, "--vocabulary 100: expected above 256"),
        ({"translations": "x.en"}, OptionError, "give the other language's file with --data"),
        ({"dropout": 1.0}, OptionError, "--dropout 1.0: expected at least 0 and below 1"),
        ({"label_smoothing": -0.1}, OptionError, "--label-smoothing -0.1"),
        ({"coverage": True}, OptionError, "coverage needs an attention"),
        ({"data": "missing.tsv"}, DataError, "no such file"),
    ],
)
def test_mistakes_in_one_line(tmp_path: Path, option: dict, error: type, said: str) -> None:
    with pytest.raises(error, match=said) as raised:
        options = small(tmp_path, **option) if "translations" not in option else TranslateOptions(**option)
        translate.model(options, translate.data(options, tmp_path, None).assets)
    assert "\n" not in str(raised.value)
