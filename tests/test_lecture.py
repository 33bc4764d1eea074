"""The lecture, live: every command of its pages runs, shortened, and makes the pictures that the page shows."""

from __future__ import annotations

import gzip
import io
import runpy
import shlex
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from unrolled.cli.main import main
from unrolled.data import named, text
from unrolled.recipes import language
from unrolled.studies import registry
from unrolled.studies.study import Job, Study
from unrolled.workshop import crew, study_job
from unrolled.workshop.messages import JobBegan, JobEnded, Message
from unrolled.workshop.study_folder import Circumstances

from .recipes.stand_in import (
    write_by_class,
    write_columns,
    write_digits,
    write_names,
    write_pictures,
    write_play,
    write_poems,
    write_pronunciations,
    write_series,
    write_text,
    write_translations,
    write_trees,
)

SCRIPT = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "draw-lecture")))
PAGES: list[Path] = SCRIPT.pages()
#: Updates of each training, and jobs of each study.
STEPS, JOBS = 3, 2
#: Bytes of a picture.
LARGEST = 150_000

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def shortened(words: list[str]) -> list[str]:
    """The command with three updates for its budget, whatever it was; of a study's seeds, one."""
    short, budgets = [], ("--steps", "--epochs", "--minutes")
    pairs = iter(words)
    for word in pairs:
        if word in budgets and words[0] == "train":
            next(pairs)
        else:
            short.append(word)
    if words[0] == "train":
        return [*short, "--steps", str(STEPS), "--threads", "1"]
    if words[0] == "study" and registry.find(words[1]).seeds:
        return [*short, "--seeds", "0"]
    return short


def write_data(folder: Path) -> None:
    """Something in the place of each named data set."""
    for data_set in named.CATALOGUE:
        file = folder / data_set.file
        file.parent.mkdir(parents=True, exist_ok=True)
        if data_set.name == "names":
            write_names(file)
        elif data_set.name == "conll2000":
            with zipfile.ZipFile(file, "w") as archive:
                for part in ("train", "test"):
                    # As many as it takes for the page's example to be among those to validate on.
                    sentences = write_columns(folder / f"{part}.txt", 1600 if part == "train" else 40)
                    archive.write(sentences, f"conll2000/{part}.txt")
        elif file.parent.name == "sentiment":
            write_by_class(file)
        elif file.parent.name == "translation":
            part = write_translations(folder / "pairs.tsv", 200).read_text(encoding="utf-8").splitlines()
            side = [line.split("\t")[file.stem.endswith(".en")] for line in part]
            with gzip.open(file, "wt", encoding="utf-8") as packed:
                packed.write("\n".join(side))
        elif file.parent.name == "parse":
            trees = write_trees(folder / "trees.ptb", 100)
            with zipfile.ZipFile(file, "w") as archive:
                for document in ("bio_bernoulli", "bio_byron", "bio_dvorak"):
                    archive.write(trees, f"GUM_{document}.ptb")
        elif data_set.name == "sonnets":
            write_poems(file, "ABABCDCDEFEFGG", 120)
        elif data_set.name == "tinyshakespeare":
            write_play(file, 1000)
        elif data_set.name == "cmudict":
            with zipfile.ZipFile(file, "w") as archive:
                archive.write(write_pronunciations(folder / "spoken.txt"), "cmudict/cmudict")
        elif file.suffix == ".npz":
            write_digits(file)
        elif file.suffix == ".csv":
            write_series(file, 700, ("precipitation",) if "weather" in data_set.name else ())
        elif file.suffix == ".zip":
            write_pictures(file, count=240)
        else:
            write_text(file, 20_000)


class CrewOfOne(crew.Crew):
    """Does the jobs itself, one after the other: no process, and three updates each."""

    def run(self, jobs: list[Job], stop: Callable[[], bool]) -> Iterator[Message]:
        for asked in jobs:
            yield JobBegan(asked.name)
            options = {**asked.options, "minutes": None, "steps": STEPS} if asked.recipe else asked.options
            job = replace(asked, options=options, best_of=(), takes=())
            done = study_job.work(registry.find(self.study), self.folder, job, 1, io.StringIO())
            assert done is not None
            self.folder.write(asked, done[0], Circumstances(0.0, 1.0, 1, "", ""))
            found = self.folder.read(asked)
            assert found is not None
            self.found[asked.name] = found
            yield JobEnded(asked.name, "done", 0.0, {})


@pytest.fixture
def student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the commands run, with small data behind every name."""
    write_data(tmp_path / "data")
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("UNROLLED_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path / "here")
    library = text.FoundFiles([write_text(tmp_path / "library.py", 20_000)], "a library")
    monkeypatch.setattr(text, "standard_library_files", lambda: library)
    monkeypatch.setattr(language, "SAMPLE_LENGTH", 40)
    find = registry.find

    def find_shortened(name: str) -> Study:
        whole = find(name)
        return replace(whole, jobs=lambda extent: list(whole.jobs(extent))[:JOBS])

    monkeypatch.setattr(registry, "find", find_shortened)
    monkeypatch.setattr(crew, "Crew", CrewOfOne)
    return tmp_path / "here"


@each_page
def test_every_command_runs_and_makes_the_pictures(page: Path, student: Path) -> None:
    commands = SCRIPT.commands(page)
    assert commands, f"{page.name} shows no command"
    for words in commands:
        assert main(shortened(words)) == 0, shlex.join(words)
    studies = [words[1] for words in commands if words[0] == "study"]
    shown = SCRIPT.pictures(page)
    assert shown, f"{page.name} shows no picture"
    for picture in shown:
        place, name = Path(picture).parent, Path(picture).name
        if place == Path("../results"):
            assert any(name.startswith(f"{one}-") for one in studies), f"no study of {page.name} makes {picture}"
        else:
            assert place == Path("pictures"), f"{picture} stands neither in pictures nor in ../results"
            assert (student / name).is_file(), f"no command of {page.name} makes {picture}"


def test_every_picture_is_there_small_and_shown() -> None:
    shown = {picture for page in PAGES for picture in SCRIPT.pictures(page)}
    for picture in shown:
        file = SCRIPT.LECTURE / picture
        assert file.is_file(), f"{picture}: scripts/draw-lecture makes it"
        assert file.stat().st_size < LARGEST, f"{picture}: {file.stat().st_size:,} bytes"
    kept = {f"pictures/{file.name}" for file in (SCRIPT.LECTURE / "pictures").iterdir()}
    assert kept <= shown, f"no page shows {sorted(kept - shown)}"


def test_the_index_leads_to_every_page_in_order() -> None:
    index = (SCRIPT.LECTURE / "README.md").read_text(encoding="utf-8")
    places = [index.find(f"]({page.name})") for page in PAGES]
    assert -1 not in places and places == sorted(places)


def test_drawing_takes_over_what_a_page_shows(tmp_path: Path, student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCRIPT.draw.__globals__, "LECTURE", tmp_path)
    (tmp_path / "pictures").mkdir()
    page = tmp_path / "99-page.md"
    look = "$ unrolled inspect unit tiny --text ab --svg"
    page.write_text(
        f"```console\n{look} seen.svg\n{look} \\\n  unseen.svg  # a remark\n$ unrolled study no-study\n```\n"
        "![what is seen](pictures/seen.svg)\n![of a study](../results/no-study-all.svg)\n"
    )
    SCRIPT.draw(page)
    assert [file.name for file in (tmp_path / "pictures").iterdir()] == ["seen.svg"]
    assert Path.cwd() == student and not list(student.iterdir())
    page.write_text("```console\n$ unrolled inspect unit nothing\n```\n")
    with pytest.raises(SystemExit, match=r"99-page.md: unrolled inspect unit nothing: exit code 2"):
        SCRIPT.draw(page)


def test_budgets_are_shortened() -> None:
    train = shlex.split("train adding --steps 300 --name sum --minutes 5")
    assert shortened(train) == shlex.split("train adding --name sum --steps 3 --threads 1")
    assert shortened(shlex.split("study gradient-flow")) == shlex.split("study gradient-flow --seeds 0")
    assert shortened(["study", "clipping-cliff"]) == ["study", "clipping-cliff"]
    look = shlex.split("inspect memory lstm --svg memory.svg")
    assert shortened(look) == look
