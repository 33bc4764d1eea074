"""What the commands do when all is well."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import Any, NoReturn

import pytest

import unrolled
from unrolled.data import named
from unrolled.workshop import report, session
from unrolled.workshop.folder import RunFolder
from unrolled.workshop.results import read_result
from unrolled.workshop.runs import loss_curves

from .command import SMALL, Command, one_line, program, tree
from .test_damage import stopping_after


def no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def events_of(out: str) -> list[dict[str, Any]]:
    return [json.loads(line, parse_constant=no_constant) for line in out.splitlines()]


# --- train and resume ------------------------------------------------------------------------------------------------


def test_training_into_a_pipe_gives_json_lines(command: Command) -> None:
    said = command("train", command.text(), *SMALL)
    assert said.code == 0
    events = events_of(said.out)
    assert events[0]["event"] == "began" and events[0]["run"] == "book"
    assert "6,000 characters" in events[0]["summary"]
    updates = [event for event in events if event["event"] == "updated"]
    assert [event["step"] for event in updates] == list(range(1, 13))
    assert updates[-1]["loss"] < updates[0]["loss"]
    assert {"loss", "gradient_norm", "rate", "per_second", "seconds_left"} <= updates[0].keys()
    assert any(event["event"] == "sampled" and event["text"] for event in events)
    assert events[-1]["event"] == "next"
    assert events[-1]["commands"][0] == "unrolled sample book" and len(events[-1]["commands"]) == 3
    kept = events_of((command.runs / "book" / "events.jsonl").read_text(encoding="utf-8"))
    assert [{k: v for k, v in event.items() if k != "at"} for event in kept] == [
        event for event in events if event["event"] not in {"began", "note", "next"}
    ]
    config = tomllib.loads((command.runs / "book" / "config.toml").read_text())
    assert config["options"]["data"] == str(command.folder / "book.txt")
    assert config["options"]["sizes"] == [16]


def test_the_commands_at_the_end_work(command: Command) -> None:
    said = command("train", command.text(), *SMALL)
    for line in events_of(said.out)[-1]["commands"]:
        done = command(*line.split()[1:])
        assert done.code == 0, done.error
    assert (command.folder / "book.svg").read_text().startswith("<svg")


def test_names_are_made_from_the_data_and_never_taken(command: Command) -> None:
    text = command.text("Grimm's Märchen.txt")
    for _ in range(2):
        assert command("train", text, *SMALL).code == 0
    assert sorted(path.name for path in command.runs.iterdir()) == ["Grimm-s-M-rchen", "Grimm-s-M-rchen-2"]


def test_a_stopped_run_goes_on_to_the_same_weights_and_events(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = command.trained("whole")
    with monkeypatch.context() as patched:
        patched.setattr(session, "stop_on_signals", stopping_after(5))
        said = command("train", "book.txt", *SMALL, "--name", "halted")
    assert said.code == 130
    assert events_of(said.out)[-1]["commands"][0] == "unrolled resume halted"
    assert command("sample", "halted", "--length", "4").code == 0
    # From another folder too: the run knows where its text is.
    elsewhere = command.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert command("resume", "halted").code == 0
    halted = command.runs / "halted"
    assert (halted / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()

    def losses(run: Path) -> list[float]:
        return [event["loss"] for event in events_of((run / "events.jsonl").read_text()) if event["event"] == "updated"]

    assert losses(halted) == losses(whole)


def test_a_text_from_standard_input_is_kept_and_resumed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    text = command.text()
    with text.open() as stream, monkeypatch.context() as patched:
        patched.setattr("sys.stdin", stream)
        patched.setattr(session, "stop_on_signals", stopping_after(5))
        assert command("train", "-", *SMALL).code == 130
    run = command.runs / "standard-input"
    assert (run / "input.txt").read_bytes() == text.read_bytes()
    text.unlink()
    assert command("resume").code == 0
    assert command("evaluate").code == 0


def test_a_folder_and_a_compressed_file(command: Command) -> None:
    import gzip

    folder = command.folder / "books"
    folder.mkdir()
    command.text("books/one.txt")
    command.text("books/two.txt", seed=1)
    said = command("train", folder, *SMALL)
    assert "2 files" in events_of(said.out)[0]["summary"]
    (command.folder / "three.txt.gz").write_bytes(gzip.compress((folder / "one.txt").read_bytes()))
    said = command("train", "three.txt.gz", *SMALL, "--name", "three")
    assert "6,000 characters" in events_of(said.out)[0]["summary"]


@pytest.mark.parametrize("symbols", ["bytes", "bpe"])
def test_other_symbols(command: Command, symbols: str) -> None:
    if symbols == "bpe":
        pytest.importorskip("tokenizers", reason="BPE needs the extra bpe")
    file = command.folder / "words.txt"
    file.write_text("Die Größe der Bücher über Äpfel — schön! " * 200, encoding="utf-8")
    said = command("train", file, *SMALL, "--symbols", symbols, "--bpe-size", 300)
    assert said.code == 0, said.error
    whole = command("sample", "words", "--length", "40", "--prompt", "€ ö").out
    command("sample", "words", "--length", "17", "--prompt", "€ ö", "--save-state", "place")
    # A character that the first part broke off begins the second.
    first = command("sample", "words", "--length", "17", "--prompt", "€ ö").out[:-1]
    second = command("sample", "words", "--continue-state", "place", "--length", "23").out[:-1]
    assert first + second == whole[:-1]


def test_fine_tuning_starts_from_the_parents_weights_and_options(command: Command) -> None:
    command.trained("book", "--cell", "lstm", "--rate", "0.01")
    other = command.text("other.txt", seed=3)
    said = command("train", other, "--from", "book", "--steps", "1", "--rate", "0.001")
    assert said.code == 0, said.error
    config = tomllib.loads((command.runs / "other" / "config.toml").read_text())
    assert config["from"] == str(command.runs / "book")
    assert (config["options"]["cell"], config["options"]["sizes"]) == ("lstm", [16])
    assert (config["options"]["rate"], config["options"]["steps"]) == (0.001, 1)
    parent, child = (json.loads((command.runs / name / "config.json").read_text()) for name in ("book", "other"))
    assert parent["assets"] == child["assets"]
    first = next(event for event in events_of(said.out) if event["event"] == "updated")["loss"]
    scratch = command("train", other, *SMALL, "--cell", "lstm", "--steps", "1", "--name", "scratch")
    assert first < next(event for event in events_of(scratch.out) if event["event"] == "updated")["loss"] - 0.05


# --- sample and evaluate ---------------------------------------------------------------------------------------------


def test_sampling(command: Command) -> None:
    command.trained("book")
    one = command("sample", "book", "--prompt", "The ", "--length", "30")
    assert one.code == 0 and len(one.out) == 31
    assert command("sample", "book", "--prompt", "The ", "--length", "30").out == one.out
    assert command("sample", "book", "--prompt", "The ", "--length", "30", "--seed", "1").out != one.out
    two = command("sample", "book", "--prompt", "The ", "--length", "30", "--count", "2").out
    assert two.startswith(one.out) and two != one.out
    assert two == one.out + command("sample", "book", "--prompt", "The ", "--length", "30", "--seed", "1").out
    greedy = command("sample", "book", "--greedy", "--length", "9").out
    assert greedy == command("sample", "book", "--temperature", "0", "--length", "9", "--seed", "4").out
    beam = command("--json", "sample", "book", "--beam", "5", "--length", "9")
    drawn = command("--json", "sample", "book", "--greedy", "--length", "9")
    found, greedily = (
        next(e["log_probability"] for e in events_of(said.out) if e["event"] == "text-end") for said in (beam, drawn)
    )
    assert found >= greedily - 1e-6


def test_a_stop_text_ends_it_and_is_not_printed(command: Command) -> None:
    command.trained("book")
    whole = command("sample", "book", "--length", "60").out
    stop = whole[20:23]
    assert command("sample", "book", "--length", "60", "--stop", stop).out == whole[: whole.index(stop)] + "\n"


def test_log_probabilities_add_up(command: Command) -> None:
    command.trained("book")
    events = events_of(command("--json", "sample", "book", "--length", "7", "--log-probabilities").out)
    pieces, end = events[:-1], events[-1]
    assert end["symbols"] == 7
    assert end["log_probability"] == pytest.approx(sum(piece["log_probability"] for piece in pieces))
    for piece in pieces:
        chances = [other["log_probability"] for other in piece["alternatives"]]
        assert chances == sorted(chances, reverse=True) and len(chances) == 5
    shown = command("sample", "book", "--length", "7", "--log-probabilities").out
    assert f"{end['log_probability']:.3f} nats over 7 symbols" in shown


def test_a_saved_state_goes_on_to_the_same_text(command: Command) -> None:
    command.trained("book")
    whole = command("sample", "book", "--length", "40", "--prompt", "The").out
    command("sample", "book", "--length", "15", "--prompt", "The", "--save-state", "one")
    command("sample", "book", "--length", "10", "--continue-state", "one", "--save-state", "two")
    rest = command("sample", "book", "--length", "15", "--continue-state", "two").out
    assert rest == whole[25:]


def test_evaluate_keeps_what_it_found(command: Command) -> None:
    run = command.trained("book")
    said = command("--json", "evaluate", "book")
    found = events_of(said.out)[0]
    assert found["part"] == "test" and 1 < found["figures"]["state carried"] < 4
    command("evaluate", "book", "--part", "valid")
    kept = events_of((run / "evaluations.jsonl").read_text())
    assert kept[0] == found and kept[1]["part"] == "valid"
    assert f"{found['figures']['state carried']:.4f}" in command("evaluate", "book").out
    assert f"{found['figures']['state carried']:.4f}" in command("runs").out
    assert unrolled.load(run).evaluate() == found["figures"]


# --- runs, recipes, data, doctor -------------------------------------------------------------------------------------


def test_runs(command: Command) -> None:
    command.trained("one")
    command.trained("two", "--cell", "lstm", "--seed", "1")
    listed = command("runs").out
    assert listed.index("two") < listed.index("one") and listed.count("finished") == 2
    assert command("runs", "list").out == listed
    shown = command("runs", "show", "two", "--svg", "two.svg").out
    assert "--cell" in shown and "lstm" in shown and "step-00000012.txt" in shown
    assert (command.folder / "two.svg").read_text().startswith("<svg")
    compared = command("runs", "compare", "one", "two", "--svg", "both.svg").out
    assert "cell" in compared and "lstm" in compared and "gru" in compared and "window" not in compared
    assert (command.folder / "both.svg").read_text().startswith("<svg")


def test_curves_of_runs_are_in_their_unit_and_beside_what_needs_no_memory(command: Command) -> None:
    for cell in ("lstm", "urnn"):
        command("train", "copy-memory", "--delay", 1, "--cell", cell, "--sizes", 4, "--steps", 3, "--name", cell)
    curves = loss_curves([RunFolder(command.runs / cell) for cell in ("lstm", "urnn")])
    assert curves.y_label == "loss, nats/step"
    *own, floor = curves.series
    each = ("lstm: training", "lstm: validation", "urnn: training", "urnn: validation")
    assert tuple(s.name for s in own) == each
    assert [s.beside for s in own] == ["", each[0], "", each[2]]
    losses = [e["loss"] for e in RunFolder(command.runs / "lstm").events() if e["event"] == "updated"]
    assert own[0].y == tuple(losses)  # so few are not smoothed
    assert not curves.y_log
    with (command.runs / "lstm" / "events.jsonl").open("a", encoding="utf-8") as events:
        events.write(json.dumps({"event": "validated", "step": 3, "figures": {"loss": 1e-4}, "best": True}) + "\n")
    assert loss_curves([RunFolder(command.runs / "lstm")]).y_log
    assert (floor.name, floor.beside, floor.x) == ("loss without memory", "loss", (0.0, 3.0))
    assert floor.y == pytest.approx((10 * math.log(8) / 21,) * 2)

    command.trained("text")
    assert loss_curves([RunFolder(command.runs / name) for name in ("lstm", "text")]).y_label == "loss"


def test_recipes(command: Command) -> None:
    out = command("recipes").out
    assert all(name in out for name in ("char-lm", "hello", "min-char-rnn", "names"))
    assert "--batch-size" in command("recipes", "char-lm").out


def test_data(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    row = next(line for line in command("data").out.splitlines() if line.startswith("tinyshakespeare"))
    assert row.split()[1] == "—"
    file = command.text()
    monkeypatch.setattr(named, "get", lambda name: file)
    said = command("data", "get", "Tiny-Shakespeare")
    assert said.code == 0 and "6,000 bytes" in said.out and "public domain" in said.out


def test_doctor(command: Command) -> None:
    out = command("doctor").out
    assert "torch" in out and "lstm" in out and "fused" in out and "accelerator" in out and "native core: " in out
    cells, why = (out.index(title) for title in ("Kernels, the fastest first", "Why a cell has no faster kernel"))
    assert cells < out.index("conv-lstm") < why < out.rindex("conv-lstm")
    assert "Streaming, one step a call" in out and "scans: " in out


def test_hello_prints_its_numbers(command: Command) -> None:
    said = command("train", "hello", "--steps", "5")
    sample = next(event for event in reversed(events_of(said.out)) if event["event"] == "sampled")["text"]
    assert "−ln p[target]" in sample
    assert command("sample", "hello", "--prompt", "he", "--greedy", "--length", "3").code == 0


# --- report ----------------------------------------------------------------------------------------------------------

#: A training whose budget is the clock's.
TIMED = [*SMALL[: SMALL.index("--steps")], "--minutes", "0.02"]


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing else runs."""
    from unrolled.training.metrics import CoreShare

    monkeypatch.setattr(CoreShare, "share", lambda self: 0.99)


def measured(command: Command, name: str, *more: object) -> Path:
    run = command.train(name, *more)
    assert command("evaluate", name).code == 0
    return run


@pytest.mark.usefixtures("idle")
def test_report_writes_a_result_that_reads_back(command: Command) -> None:
    runs = [measured(command, f"run{seed}", "--seed", seed) for seed in (0, 1)]
    said = command("report", "run0", "run1", "--to", "results", "--name", "small")
    assert said.code == 0, said.error
    result = read_result(command.folder / "results" / "small.toml")
    assert (result.kind, result.name, result.seeds, result.core_share) == ("recipe", "char-lm", (0, 1), 0.99)
    expected = [json.loads((run / "evaluations.jsonl").read_text())["figures"]["state carried"] for run in runs]
    assert list(result.figures[0].values) == expected
    # The recipe's bars, and what others reached, are for another text than this one.
    assert all(figure.met is None and not figure.peers for figure in result.figures)
    assert result.command.startswith("unrolled train char-lm --data book.txt ") and "--seed 0" in result.command
    assert str(command.folder) not in (command.folder / "results" / "small.toml").read_text()
    # The second look at the test part does not count.
    with (runs[0] / "evaluations.jsonl").open("a") as evaluations:
        evaluations.write('{"part": "test", "figures": {"state carried": 0.1}}\n')
    command("report", "run0", "run1", "--to", "results", "--name", "again")
    assert read_result(command.folder / "results" / "again.toml").figures[0].values == tuple(expected)


@pytest.mark.usefixtures("idle")
def test_report_refuses(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(command, "zero")
    command.trained("unmeasured", "--seed", "1")
    measured(command, "same")
    measured(command, "other", "--cell", "lstm", "--seed", "2")
    measured(command, "tuned", "--from", "zero", "--seed", "3")
    with monkeypatch.context() as patched:
        patched.setattr(session, "stop_on_signals", stopping_after(1))
        command("train", "book.txt", *TIMED, "--name", "halted", "--seed", "4")
    with monkeypatch.context() as patched:
        patched.setattr("unrolled.training.metrics.CoreShare.share", lambda self: 0.9)
        command("train", "book.txt", *TIMED, "--name", "disturbed", "--seed", "5")
        command("evaluate", "disturbed")
    for words, said in (
        ("zero unmeasured", "unrolled evaluate unmeasured"),
        ("zero same", "one seed"),
        ("zero other", "--cell differs"),
        ("zero tuned", "fine-tuned"),
        ("halted", "not finished"),
        ("disturbed", "90%"),
    ):
        one_line(command("report", *words.split(), "--to", "results"), said)
    assert command("resume", "halted").code == 0
    one_line(command("report", "halted", "--to", "results"), "stopped on the way")
    assert not (command.folder / "results").exists()
    assert report.LEAST_CORE_SHARE == 0.95


def test_a_budget_in_steps_is_reported_whatever_ran_beside_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its figures do not hang on the clock; of a run that was stopped on the way, the minutes are not known."""
    with monkeypatch.context() as patched:
        patched.setattr("unrolled.training.metrics.CoreShare.share", lambda self: 0.4)
        measured(command, "disturbed", "--seed", "0")
        patched.setattr(session, "stop_on_signals", stopping_after(5))
        command("train", "book.txt", *SMALL, "--name", "halted", "--seed", "1")
    for name, known in (("disturbed", True), ("halted", False)):
        if name == "halted":
            assert command("resume", name).code == command("evaluate", name).code == 0
        assert command("report", name, "--to", "results", "--name", name).code == 0
        result = read_result(command.folder / "results" / f"{name}.toml")
        assert (result.minutes is not None) == known
    assert read_result(command.folder / "results" / "disturbed.toml").core_share == 0.4


# --- from Python -----------------------------------------------------------------------------------------------------


def test_from_python(command: Command) -> None:
    text = command.text()
    small = {"sizes": (16,), "embedding": 8, "batch_size": 4, "window": 16, "split": (0.8, 0.1, 0.1), "threads": 1}
    run = unrolled.train(text, steps=12, dtype="float32", **small)
    assert run.name == "book"
    assert run.sample("The ", 20, seed=3) == unrolled.load("book").sample("The ", 20, seed=3)
    assert (
        command("sample", "book", "--prompt", "The ", "--length", "20", "--seed", "3").out
        == run.sample("The ", 20, seed=3) + "\n"
    )
    saved = run.save_pretrained(command.folder / "saved")
    assert sorted(path.name for path in saved.iterdir()) == ["config.json", "model.safetensors"]
    again = unrolled.Run.from_pretrained(saved)
    assert again.sample("The ", 20, seed=3) == run.sample("The ", 20, seed=3)
    with pytest.raises(unrolled.errors.OptionError, match="Did you mean 'window'"):
        unrolled.train(text, widow=3)
    before = tree(command.runs)
    with pytest.raises(unrolled.errors.OptionError, match="one of them"):
        unrolled.train(text, data="x")
    assert tree(command.runs) == before


# --- the program itself ----------------------------------------------------------------------------------------------


def test_a_reader_that_goes_away_early(command: Command) -> None:
    """`unrolled recipes | head -1`, without the shell: standard output is closed before anything comes."""
    code = "import os; r, w = os.pipe(); os.close(r); os.dup2(w, 1)"
    for words in ("recipes", "--help"):
        said = program(words, folder=command.folder, code=code)
        assert (said.code, said.error) == (0, "")
    said = program("train", command.text(), *SMALL, folder=command.folder, code=code)
    assert said.error == ""
    # It was saved at once, and goes on from there.
    assert command("resume", "book").code == 0


def test_an_error_that_nobody_foresaw_keeps_its_traceback(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(request: object) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr("unrolled.workshop.catalogue.recipes", broken)
    with pytest.raises(ZeroDivisionError):
        command("recipes")
