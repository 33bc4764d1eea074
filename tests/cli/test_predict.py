"""`unrolled predict`: people's own files in, the same with answers out; wrong ones in one line, in training too."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from unrolled.errors import DataError
from unrolled.workshop.looking import Words
from unrolled.workshop.messages import Predicted
from unrolled.workshop.predict import PredictRequest, predict

from ..recipes.stand_in import write_columns, write_reviews
from .command import Command, one_line

SMALL = ["--batch-size", 8, "--sizes", 8, "--embedding", 8, "--steps", 40, "--rate", 0.02, "--threads", 1]


def classifier(command: Command) -> str:
    data = write_reviews(command.folder / "reviews.csv")
    words = ["--data", data, "--text", "comment", "--label", "stars"]
    said = command("train", "sentiment", *words, *SMALL, "--name", "stars")
    assert said.code == 0, said.error
    assert "text in comment, label in stars" in said.out and "unrolled predict stars FILE" in said.out
    return "stars"


def tagger(command: Command) -> str:
    data = write_columns(command.folder / "words.conll")
    assert command("train", "tagging", "--data", data, *SMALL, "--letters", 4, "--name", "tags").code == 0
    return "tags"


def feed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_texts(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run = classifier(command)
    # A table in another language, with all that tables may have: mark, CRLF, quotes, a line end in a cell, empty rows.
    table = '\ufeffAnmerkung|predicted\r\n"a lovely\r\nfine cat"|x\r\n\r\n"awful, ""dull"" cat"|y\r\n'
    (command.folder / "neu.csv").write_bytes(table.encode())
    said = command("predict", run, "neu.csv", "--text", "anmerkung")
    assert said.code == 0, said.error
    rows = list(csv.reader(io.StringIO(said.out, newline=""), delimiter="|"))
    assert rows[0] == ["Anmerkung", "predicted", "predicted_", "probability"]
    assert [row[:3] for row in rows[1:]] == [["a lovely\r\nfine cat", "x", "5"], ['awful, "dull" cat', "y", "1"]]
    assert all(0.5 <= float(row[3]) <= 1 for row in rows[1:])

    (command.folder / "lines.txt").write_text("a lovely day\n\nan awful day\n", encoding="utf-8")
    lines = command("predict", run, "lines.txt").out.splitlines()
    assert [line.split("\t")[0] for line in (lines[0], lines[2])] == ["5", "1"]
    assert lines[0].split("\t")[2] == "a lovely day" and lines[1].endswith("\t") and len(lines) == 3

    feed(monkeypatch, b"so lovely\n")
    event = json.loads(command("--json", "predict", run, "-").out)
    assert event["event"] == "predicted" and event["line"] == 1
    assert (event["answer"]["text"], event["answer"]["label"]) == ("so lovely", "5")
    assert set(event["answer"]["probabilities"]) == {"1", "5"}

    assert command("predict", run, "a lovely one").out.startswith("5\t0.")
    # A single word is one; what ends like a file's name is the name of a file.
    assert command("predict", run, "awful").out.startswith("1\t0.")
    one_line(command("predict", run, "reviews.cvs"), "reviews.cvs: no such file or folder. Did you mean 'reviews.csv'")

    # By its first line this is a table, however it is called; a sentence that holds the column's name is none.
    (command.folder / "export.txt").write_text("nr|comment\n7|so lovely\n")
    assert command("predict", run, "export.txt").out.splitlines()[1].startswith("7|so lovely|5|0.")
    (command.folder / "lines.txt").write_text("my comment\nso dull\n")
    assert [line[0] for line in command("predict", run, "lines.txt").out.splitlines()[1:]] == ["1"]

    feed(monkeypatch, b"comment,nr\nso dull,1\n")
    assert command("predict", run, "-", "--form", "table").out.splitlines()[1].startswith("so dull,1,1,0.")


def test_words(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tagger(command)
    (command.folder / "new.conll").write_text("the x\nbdler x\n\nthe x\n")
    said = command("predict", run, "new.conll")
    assert said.out == "the\tx\tDT\tB-NP\nbdler\tx\tNN\tI-NP\n\nthe\tx\tDT\tB-NP\n"
    # Where the words stand elsewhere than in the training.
    (command.folder / "other.conll").write_text("x the\nx bdler\n")
    assert command("predict", run, "other.conll", "--word", 2).out == "x\tthe\tDT\tB-NP\nx\tbdler\tNN\tI-NP\n"
    for column in (3, -1):
        said = one_line(command("predict", run, "other.conll", "--word", column))
        assert f"2 columns, and --word {column} is none of them" in said
    feed(monkeypatch, b"the\nbdler\n")
    events = [json.loads(line) for line in command("--json", "predict", run, "-").out.splitlines()]
    assert events[1]["answer"] == {"word": "bdler", "tags": "NN", "chunks": "I-NP"} and events[1]["line"] == 2
    assert command("predict", run, "the bdler").out == "the/DT/B-NP bdler/NN/I-NP\n"
    feed(monkeypatch, b"the bdler ooed.\n")
    assert command(
        "predict", run, "-", "--form", "lines"
    ).out == "the/DT/B-NP bdler/NN/I-NP ooed/VBD/B-VP ./././O\n".replace("./././O", "././O")


def test_looks_at_runs_that_answer_with_words(command: Command) -> None:
    classifier(command)
    said = command("inspect", "saliency", "stars", "--text", "a lovely cat", "--svg", "seen.svg")
    assert said.code == 0 and "What speaks for '5'" in said.out and (command.folder / "seen.svg").exists()
    assert command("inspect", "saliency", "stars").code == 0
    assert command("inspect", "influence", "stars").code == 0
    tagger(command)
    said = command("inspect", "influence", "tags")
    assert said.code == 0, said.error


def test_mistakes_in_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run = classifier(command)

    def refused(content: str, *words: object, name: str = "neu.csv") -> str:
        (command.folder / name).write_text(content, encoding="utf-8")
        return one_line(command("predict", run, name, *words))

    assert "neu.csv, line 3: 1 cell, where the header names 2" in refused("comment,b\nx,1\ny\n")
    assert "--text coment: neu.csv has no column of that name. Did you mean 'comment'" in refused(
        "comment,b\nx,1\n", "--text", "coment"
    )
    assert "neu.csv, line 2: a quote that opens here is never closed" in refused('comment,b\n"x,1\n')
    said = refused("a,b\nvery long,1\n")
    assert "neu.csv: no column comment, which stars learnt from: name that of the texts with --text. It has a" in said
    assert "lines.txt: empty" in refused("\n \n", name="lines.txt")
    assert "--form columns: this run reads lines or table" in refused("x\n", "--form", "columns")
    assert "--separator" in refused("comment,b\nx,1\n", "--separator", "ab")
    assert "no such file" in one_line(command("predict", run, "nothing.csv"))
    (command.folder / "latin.txt").write_bytes("schön".encode("latin-1"))
    assert "not utf-8 at byte 3" in one_line(command("predict", run, "latin.txt"))
    feed(monkeypatch, "schön".encode("latin-1"))
    assert "standard input is not utf-8 at byte 3" in one_line(command("predict", run, "-"))
    command.trained()
    assert "says neither labels nor tags; take a run of sentiment or tagging" in one_line(
        command("predict", "book", "neu.csv")
    )
    tagger(command)
    (command.folder / "new.conll").write_text("the x\nbdler\n")
    assert "new.conll, line 2: 1 column, where the lines before have 2" in one_line(
        command("predict", "tags", "new.conll")
    )
    assert "--form table: this run reads lines or columns" in one_line(
        command("predict", "tags", "new.conll", "--form", "table")
    )


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        ("comment;stars\nfine;5\n", (), "none of stars looks like one: name it with --label"),
        ("comment;stars\n" + "so fine;5\n" * 30, ("--label", "stars"), "every label is '5'"),
        ("comment;stars\n" + "so fine;5\nso dull;1\n" * 30, ("--label", "star"), "Did you mean 'stars'"),
        ("a;b;c\n" + "so fine;5;x\nso dull;1;y\n" * 30, (), "b, c may all be one: name it with --label"),
    ],
)
def test_training_refuses_in_one_line_and_leaves_nothing(
    command: Command, content: str, words: tuple[str, ...], said: str
) -> None:
    (command.folder / "r.csv").write_text(content)
    line = one_line(command("train", "sentiment", "--data", "r.csv", *words, *SMALL))
    assert said in line and "r.csv" in line, line
    assert not list(command.runs.glob("*"))


def test_training_from_standard_input_goes_on_without_it(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    file: Path = write_reviews(command.folder / "r.csv")
    feed(monkeypatch, file.read_bytes())
    said = command("train", "sentiment", "--data", "-", *SMALL, "--name", "piped", "--label", "stars")
    assert said.code == 0, said.error
    assert command("evaluate", "piped").code == 0


@pytest.mark.parametrize("form", ["lines", "table"])
def test_what_a_browser_sends_is_never_the_name_of_a_file(command: Command, form: Any) -> None:
    file = write_reviews(command.folder / "secret.csv")
    assert command("train", "sentiment", "--data", str(file), *SMALL, "--name", "feels", "--label", "stars").code == 0
    request = PredictRequest("feels", Words(str(file)), form, runs=str(command.runs))
    try:
        said = [one.answer["text"] for one in predict(request) if isinstance(one, Predicted)]
    except DataError as error:
        said = [str(error)]
    assert said and not any("lovely" in text or "dull" in text for text in said), said
