"""Every Python example of the README and the docs runs, one page at a time, its blocks one after the other."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from unrolled.cli.main import main

from .recipes.stand_in import (
    write_columns,
    write_play,
    write_poems,
    write_pronunciations,
    write_reviews,
    write_series,
    write_text,
    write_translations,
    write_trees,
)

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "lecture").glob("*.md"))]
#: Trainings of minutes become three updates of a small model.
SHORTENED = "steps=3, sizes=(16,), embedding=8, batch_size=4, window=16, threads=1"


def write_sales(file: Path) -> None:
    """A series as the pages speak of it."""
    file.write_text(write_series(file, 400, ()).read_text().replace("day,warmth", "date,sold"))


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_text(tmp_path / "book.txt")
    write_reviews(tmp_path / "reviews.csv")
    write_sales(tmp_path / "sales.csv")
    code = "\n".join(blocks(page))
    if "import keras" in code:
        monkeypatch.setenv("KERAS_BACKEND", "torch")
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))  # where Keras writes its settings when it is imported
        pytest.importorskip("keras", reason="the extra `keras` is not installed")
    exec(compile(re.sub(r"\bminutes=\d+", SHORTENED, code), str(page), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("name", ["own-files", "translation"])
def test_the_commands_over_own_files_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    write_reviews(tmp_path / "reviews.csv")
    write_columns(tmp_path / "words.conll")
    write_sales(tmp_path / "sales.csv")
    pairs = write_translations(tmp_path / "pairs.tsv", 80).read_text(encoding="utf-8").splitlines()
    for number, side in enumerate(("a.txt", "b.txt")):
        (tmp_path / side).write_text("\n".join(pair.split("\t")[number] for pair in pairs), encoding="utf-8")
    (tmp_path / "letters.txt").write_text("the cat sat.\n\nrain fell in spain.\n")
    write_trees(tmp_path / "trees.ptb")
    write_poems(tmp_path / "songs.txt", "ABAB", 200)
    write_pronunciations(tmp_path / "spoken.txt")
    write_play(tmp_path / "play.txt", 400)
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    commands = [
        shlex.split(line, comments=True)[2:]
        for block in re.findall(r"^```console\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]
    assert len(commands) > 5
    for words in commands:
        short = ["--steps", "3", "--batch-size", "8", "--sizes", "8", "--threads", "1"] if words[0] == "train" else []
        code = main([*words, *short])
        # Two columns of this table may be the label, and the page says that it then asks.
        assert code == 0, words


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
