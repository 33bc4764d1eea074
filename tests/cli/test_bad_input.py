"""Every mistake of a person: one line that names the file or the option and the way out, code 2, and nothing lost."""

from __future__ import annotations

import errno
import os
import re
import resource
from dataclasses import fields
from pathlib import Path

import pytest

from unrolled.recipes import registry
from unrolled.training import durable

from .command import SMALL, Command, one_line, program, tree


def nothing_left(command: Command) -> None:
    """No run, not even an empty one."""
    assert not command.runs.exists() or not any(command.runs.iterdir())


# --- the text --------------------------------------------------------------------------------------------------------


def test_no_such_file_gives_the_nearest_name(command: Command) -> None:
    command.text("shakespeare.txt")
    one_line(command("train", "shakespear.txt"), "shakespear.txt", "Did you mean 'shakespeare.txt'")
    one_line(command("train", "--data", "gone/away.txt"), "gone/away.txt", "no such file")
    nothing_left(command)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ("empty", "name another file")),
        (b"a", ("only one character", "name a longer text")),
        (b"only a few words", ("too short", "17", "smaller --window")),
        ("über".encode("latin-1") * 999, ("not utf-8 at byte 0, line 1", "0xFC", "--encoding latin-1")),
        (b"\x7fELF\x02\x01\x01\0\0\0" * 999, ("binary", "byte 7", "--symbols bytes")),
    ],
    ids=["empty", "one-character", "shorter-than-a-window", "not-utf-8", "binary"],
)
def test_a_text_that_cannot_be_learnt(command: Command, content: bytes, parts: tuple[str, ...]) -> None:
    file = command.folder / "odd.txt"
    file.write_bytes(content)
    one_line(command("train", file, *SMALL), "odd.txt", *parts)
    one_line(command("train", "char-lm", "--data", file, *SMALL), "odd.txt", *parts)
    nothing_left(command)


@pytest.mark.parametrize("recipe", ["sentiment", "tagging", "translate", "parse", "forecast"])
def test_what_is_no_text_where_there_are_no_bytes_to_learn(command: Command, recipe: str) -> None:
    for content, part in ((b"a\0b\n" * 9, "name another file"), (b"\xfc;1\n" * 9, "give --encoding latin-1, or")):
        (command.folder / "odd.csv").write_bytes(content)
        assert "--symbols" not in one_line(command("train", recipe, "--data", "odd.csv"), "odd.csv", part)
    # An option that an error names is one that there is.
    assert "--encoding" not in one_line(command("train", recipe, "--data", "odd.csv", "--encoding", "latin-1"))
    nothing_left(command)


def test_a_folder_with_no_text(command: Command) -> None:
    folder = command.folder / "pictures"
    folder.mkdir()
    (folder / "one.png").write_bytes(b"\x89PNG\0")
    one_line(command("train", folder), "pictures", "no text in this folder", "name the files")
    nothing_left(command)


def test_no_permission(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    file = command.text()
    file.chmod(0)
    if os.access(file, os.R_OK):
        # The superuser may read anything: the system's refusal is put in its place.
        opened = Path.open

        def refuse(path: Path, *args: object, **kwargs: object) -> object:
            if path == file:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return opened(path, *args, **kwargs)

        monkeypatch.setattr(Path, "open", refuse)
    one_line(command("train", file, *SMALL), "book.txt", "no permission", "chmod u+r")
    nothing_left(command)


def test_standard_input_that_holds_nothing(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        one_line(command("train", "-", *SMALL), "standard input is empty", "name a file")
    nothing_left(command)


def test_a_damaged_archive(command: Command) -> None:
    file = command.folder / "book.txt.gz"
    file.write_bytes(b"no gzip at all")
    one_line(command("train", file, *SMALL), "book.txt.gz")
    nothing_left(command)


# --- words and options -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("frobnicate", ("'frobnicate'", "Known: train")),
        ("trian", ("'trian'", "Did you mean 'train'?")),
        ("runs shw", ("runs shw", "Did you mean 'show'?")),
        ("recipes char-ml", ("'char-ml'", "Did you mean 'char-lm'?")),
        ("train char-ml", ("char-ml", "Did you mean 'char-lm'?")),
        ("train hello --hiden 3", ("--hiden", "Did you mean --hidden?")),
        ("train hello --hidden x", ("--hidden 'x': expected a whole number",)),
        ("train hello --rate x", ("--rate 'x': expected a number",)),
        ("train hello --steps x", ("--steps 'x': expected a number",)),
        ("train char-lm --sizes q", ("--sizes 'q': expected numbers",)),
        ("train char-lm --split 1 2", ("--split needs 3 values",)),
        ("train hello --steps", ("--steps needs a value",)),
        ("train hello --dtype float16", ("--dtype 'float16'", "'bfloat16'")),
        ("train hello text.txt", ("text.txt: not expected here", "comes first")),
        ("train hello --steps 1 --minutes 2", ("--steps and --minutes", "one of them")),
        ("train hello --data x", ("--data x", "--word")),
        ("train hello --cell lsmt", ("'lsmt'", "Did you mean 'lstm'")),
        ("train hello --cell nowhere:Cell", ("nowhere:Cell", "PYTHONPATH")),
        ("train hello --kernel fussed", ("'fussed'", "Did you mean 'fused'?")),
        ("train hello --device cuda:99", ("--device cuda:99",)),
        ("train hello --device teapot", ("--device teapot", "expected cpu")),
        ("train names --data no-such-list", ("no-such-list", "no data set")),
        ("train tinyshakespear", ("Did you mean 'tinyshakespeare'?",)),
        ("train tinyshakespeare", ("unrolled data get tinyshakespeare", "UNROLLED_DATA")),
        ("train tinyshakespeare --data book.txt", ("tinyshakespeare", "--data", "one of them")),
        ("data get tinyshakespear", ("Did you mean 'tinyshakespeare'?",)),
        ("runs compare one", ("two runs",)),
        ("predict", ("predict needs RUN: A run's name or folder", "`unrolled predict --help`")),
        ("predict hello", ("predict needs FILE|-|WORDS: A file, - for standard input",)),
        ("study", ("study needs STUDY: A study's name",)),
        ("data get", ("data get needs NAME: The data set",)),
        ("report", ("one run or more",)),
    ],
)
def test_a_word_or_an_option_that_nothing_has(command: Command, words: str, parts: tuple[str, ...]) -> None:
    one_line(command(*words.split()), *parts)
    nothing_left(command)


def test_a_whole_sentence_is_no_file_name(command: Command) -> None:
    one_line(command("train", "Once upon a time " * 400), "no recipe")
    one_line(command("sample", "Once upon a time " * 400), "no such run")


#: Of each option with a range, values outside it.
OUTSIDE = {
    "threads": ["-1"],
    "seed": ["-1", str(2**63)],
    "steps": ["0"],
    "epochs": ["0", "nan", "inf"],
    "minutes": ["0", "-3", "nan", "inf"],
    "sizes": ["0", "16 0", ""],
    "points": ["3 5", "6 5", "5 101"],
    "embedding": ["-1"],
    "n_gram": ["-1"],
    "dropout": ["-0.1", "1", "nan"],
    "layer_dropout": ["-0.1", "1", "nan"],
    "embedding_dropout": ["-0.1", "1", "nan"],
    "recurrent_dropout": ["-0.1", "1", "nan"],
    "zoneout": ["-0.1", "1.1", "nan"],
    "weight_drop": ["-0.1", "1", "nan"],
    "length": ["1"],
    "delay": ["0"],
    "blocks": ["0"],
    "width": ["0"],
    "stride": ["0"],
    "shift": ["-1"],
    "batch_size": ["0"],
    "window": ["0"],
    "reset": ["-0.1", "1.1", "nan"],
    "rate": ["0", "-1", "nan"],
    "muon_rate": ["0", "-1", "nan"],
    "warmup": ["-1"],
    "weight_decay": ["-1", "nan"],
    "clip": ["-1", "nan"],
    "clip_value": ["-1", "nan"],
    "bpe_size": ["10"],
    "split": ["0.5 0.5 0.5", "-0.1 0.6 0.5", "0 0.5 0.5", "nan 0.5 0.5"],
    "held_out": ["-1"],
    "hidden": ["0"],
    "word": ["x"],
    "scheme": ["abab", "AB", "AB1B"],
    "horizon": ["0"],
    "period": ["-1", "1", "nan"],
    "label_smoothing": ["-0.1", "1", "nan"],
    "scheduled_sampling": ["-0.1", "1", "nan"],
    "sampling_steps": ["0"],
    "longest": ["0"],
    "least": ["0"],
    "letters": ["0"],
    "word_dropout": ["-0.1", "1", "nan"],
    "vocabulary": ["10"],
}
#: Numbers without a range of their own: columns, which the file has or has not; an amount in the unit of the data.
WITHOUT_A_RANGE = {"tags", "above"}
CASES = [
    (recipe, field.name, value)
    for recipe in registry.names()
    for field in fields(registry.find(recipe).Options)
    for value in OUTSIDE.get(field.name, ())
]


@pytest.mark.parametrize(("recipe", "option", "value"), CASES)
def test_a_value_out_of_range(command: Command, recipe: str, option: str, value: str) -> None:
    flag = f"--{option.replace('_', '-')}"
    one_line(command("train", recipe, flag, *value.split()), flag, "expected")
    nothing_left(command)


def test_every_option_that_is_a_number_has_its_range_tested() -> None:
    for recipe in registry.names():
        for field in fields(registry.find(recipe).Options):
            if re.search(r"\b(int|float)\b", str(field.type)):
                known = field.name in OUTSIDE or field.name in WITHOUT_A_RANGE
                assert known, f"{recipe} --{field.name}: which values are out of its range?"


@pytest.mark.parametrize(
    "words",
    [
        "--length 0",
        "--count 0",
        "--beam -1",
        "--temperature -1",
        "--temperature nan",
        "--top-k -1",
        "--top-p 0",
        "--top-p 1.5",
        "--min-p 2",
        "--seed -1",
        "--beam 2 --save-state x",
        "--continue-state x --prompt y",
        "--count 2 --save-state x",
        "--greedy --beam 3",
    ],
)
def test_a_sampling_option_out_of_range(command: Command, words: str) -> None:
    one_line(command("sample", *words.split()), words.split(maxsplit=1)[0].lstrip("-"))


# --- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/b", "..", ".hidden", "a\nb", "x" * 101, "ends."])
def test_a_run_name_that_escapes_the_folder(command: Command, name: str) -> None:
    one_line(command("train", "hello", "--steps", "1", "--name", name), "run name", "--runs FOLDER")
    assert not any(command.folder.iterdir())


def test_a_name_that_is_taken(command: Command) -> None:
    run = command.trained("book")
    before = tree(run)
    one_line(command("train", command.text(), *SMALL, "--name", "book"), "book", "unrolled resume book", "--name")
    assert tree(run) == before


@pytest.mark.parametrize("runs", ["plain-file", "plain-file/below", "/proc/no/runs"])
def test_runs_where_nothing_can_be_written(command: Command, runs: str) -> None:
    (command.folder / "plain-file").write_text("not a folder")
    one_line(command("train", "hello", "--steps", "1", "--runs", runs), runs, "choose another folder")


def test_a_run_folder_that_has_become_read_only(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run = command.trained("book")
    (run / "model.safetensors").unlink()
    before = tree(run)

    def refuse(path: object, flags: int, mode: int = 0o777, **_: object) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR) and str(path).startswith(str(run)):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, mode)

    opened = os.open
    monkeypatch.setattr(os, "open", refuse)
    one_line(command("resume", "book"), str(run), "Read-only file system")
    assert tree(run) == before


@pytest.mark.parametrize("words", ["runs show book --svg gone/x.svg", "sample book --length 2 --save-state gone/x"])
def test_a_file_that_cannot_be_written(command: Command, words: str) -> None:
    run = command.trained("book")
    before = tree(run)
    one_line(command(*words.split()), "gone/x", "choose another folder")
    assert tree(run) == before


# --- the disk is full ------------------------------------------------------------------------------------------------


def full_after(bytes_left: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """os.write writes so much more, and then says that there is no space left."""
    write = os.write

    def limited(descriptor: int, content: bytes) -> int:
        nonlocal bytes_left
        if bytes_left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = write(descriptor, bytes(content)[:bytes_left])
        bytes_left -= done
        return done

    monkeypatch.setattr(os, "write", limited)


def test_the_disk_is_full_from_the_start(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    text = command.text()
    with monkeypatch.context() as patched:
        full_after(100, patched)
        one_line(command("train", text, *SMALL), "no room for the encoded text", "UNROLLED_CACHE")
        one_line(command("train", "hello", "--steps", "1"), "the disk is full (No space left", "free some space")
    nothing_left(command)


def test_the_disk_fills_up_while_training_and_the_run_goes_on_later(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = command.trained("whole")
    with monkeypatch.context() as patched:
        write = durable.write

        def full(path: Path, content: bytes) -> None:
            if path.name == "step-00000012.safetensors":
                full_after(1000, patched)
            write(path, content)

        patched.setattr(durable, "write", full)
        said = command("train", command.text(), *SMALL, "--name", "halted")
        one_line(said, "No space left", "resume")
    halted = command.runs / "halted"
    assert not list(halted.rglob("*.unfinished"))
    assert command("resume", "halted").code == 0
    assert (halted / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_limit_on_the_size_of_files(command: Command) -> None:
    """The kernel's own refusal, EFBIG, in a process of its own."""
    code = f"import resource, signal; resource.setrlimit({resource.RLIMIT_FSIZE}, (200, 200))"
    code += "; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
    said = program("train", "hello", "--steps", "3", folder=command.folder, code=code)
    one_line(said, "File too large")
    nothing_left(command)


# --- prompts ---------------------------------------------------------------------------------------------------------


def test_a_prompt_with_a_character_the_model_never_saw(command: Command) -> None:
    run = command.trained("book")
    before = tree(run)
    one_line(command("sample", "book", "--prompt", "the cät"), "'ä'", "column 6", "leave it out")
    one_line(command("sample", "book", "--prompt", "one\ntw€"), "'€'", "line 2, column 3")
    assert tree(run) == before


def test_words_from_another_floor(command: Command) -> None:
    command.trained("book")
    one_line(command("sample", "bok"), "bok", "Did you mean 'book'?")
    (command.folder / "empty").mkdir()
    one_line(command("sample", "empty"), "not a run folder")
    one_line(command("evaluate", "book", "--part", "train"), "--part 'train'", "'valid'")


def test_no_runs_at_all(command: Command) -> None:
    for words in ("resume", "evaluate", "runs show"):
        one_line(command(*words.split()), "no runs yet", "unrolled train")
