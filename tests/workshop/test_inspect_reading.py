"""`inspect reading`: its numbers against the equations of the LSTM, worked in NumPy from the weights of tiny."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from unrolled.cli.main import main
from unrolled.workshop.inspect_reading import ReadingRequest, inspect_reading
from unrolled.workshop.messages import Activity, TextRead

TEXT = 'def read(self):\n    return "a"\n'


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def by_hand(text: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What tiny's units do, (units, T) by name, and the log-probabilities (T, V) after each symbol."""
    run: Any = unrolled.load("tiny")
    ((cell,),) = run.model.recurrent.cells()
    U, W, b = (cell.get_parameter(name).detach().double().numpy() for name in "UWb")
    E, V, c = (
        parameter.detach().double().numpy()
        for parameter in (run.model.embedding.weight, run.model.softmax.weight, run.model.softmax.bias)
    )
    h = cells = np.zeros(192)
    columns: dict[str, list[np.ndarray]] = {}
    told = []
    for symbol in run.recipe.writing(run.assets).encode(text):
        i, f, g, o = np.split(U @ E[symbol] + W @ h + b, 4)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        cells = f * cells + i * g
        h = o * np.tanh(cells)
        named = {"hidden": h, "cell": cells, "input": i, "forget": f, "candidate": g, "output": o}
        for name, values in named.items():
            columns.setdefault(name, []).append(values)
        y = V @ h + c
        told.append(y - np.log(np.exp(y).sum()))
    return {name: np.stack(values, 1) for name, values in columns.items()}, np.array(told)


def test_every_unit_and_every_probability_is_that_of_the_equations() -> None:
    first, *rest = inspect_reading(ReadingRequest("tiny", text=TEXT, best=3))
    assert isinstance(first, TextRead)
    values, told = by_hand(TEXT)
    assert "".join(first.tokens) == TEXT and first.run == "tiny" and first.layers == 1
    assert first.signals == tuple(values)
    names = [unrolled.load("tiny").recipe.writing(unrolled.load("tiny").assets).decoder().feed(k) for k in range(215)]  # type: ignore[misc]
    assert first.log_probabilities[0] is None and first.alternatives[0] == first.alternative_log_probabilities[0] == ()
    for t in range(1, len(TEXT)):
        assert first.log_probabilities[t] == pytest.approx(told[t - 1, names.index(TEXT[t])], abs=1e-4)
        likeliest = np.argsort(-told[t - 1])[:3]
        assert first.alternatives[t] == tuple(names[k] for k in likeliest)
        assert first.alternative_log_probabilities[t] == pytest.approx(told[t - 1, likeliest], abs=1e-4)
    for one, (name, expected) in zip(rest, values.items(), strict=True):
        assert isinstance(one, Activity)
        assert (one.layer, one.signal, one.units, one.symbols) == (1, name, 192, len(TEXT))
        read = np.frombuffer(one.octets, "<f2").reshape(192, len(TEXT))
        np.testing.assert_allclose(read, expected, rtol=2**-10, atol=1e-4)


def test_one_gate_as_json_and_as_an_array(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cell.npy"
    words = ["inspect", "reading", "tiny", "--text", TEXT, "--gate", "cell", "--npy", str(file)]
    assert main(["--json", *words]) == 0
    read, activity, note = map(json.loads, capsys.readouterr().out.splitlines())
    assert read["signals"] == ["cell"] and note["text"].startswith(f"{file}: layer 1, cell")
    assert {key: activity[key] for key in ("event", "layer", "signal", "units", "symbols")} == {
        "event": "activity",
        "layer": 1,
        "signal": "cell",
        "units": 192,
        "symbols": len(TEXT),
    }
    array = np.load(file)
    assert array.dtype == np.float16 and array.shape == (192, len(TEXT))
    assert base64.b64decode(activity["float16"]) == array.tobytes()
    np.testing.assert_allclose(array, by_hand(TEXT)[0]["cell"], rtol=2**-10, atol=1e-4)
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    nats = -np.mean([one for one in read["log_probabilities"] if one is not None])
    assert said[0] == f"tiny read {len(TEXT)} symbols: {nats:.3f} nats each" and said[1] == "layer 1, cell: 192 units"


def test_all_arrays_go_into_files_of_their_own(tmp_path: Path) -> None:
    list(inspect_reading(ReadingRequest("tiny", text="import re", npy=str(tmp_path / "a.npy"))))
    assert sorted(path.name for path in tmp_path.iterdir()) == [*(f"a-{n}.npy" for n in (2, 3, 4, 5, 6)), "a.npy"]
    values, _ = by_hand("import re")
    np.testing.assert_allclose(np.load(tmp_path / "a-4.npy"), values["forget"], rtol=2**-10, atol=1e-4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--layer", "2"], "--layer 2: the network has 1 layer"),
        (["--gate", "forgt"], "forget"),
        (["--best", "0"], "--best 0: expected 1 or more"),
        (["--length", "0"], "--length 0"),
        (["--text", "x"], "2 symbols or more"),
    ],
)
def test_mistakes_are_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "reading", "tiny", "--text", "import re", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1


def test_symbols_that_are_no_characters_by_themselves_go_by_their_number(tmp_path: Path) -> None:
    text = tmp_path / "book.txt"
    text.write_text("ä ö ü ß " * 400, encoding="utf-8")
    sizes = {"sizes": (4,), "embedding": 4, "batch_size": 2, "window": 8, "steps": 2, "split": (0.8, 0.1, 0.1)}
    run = unrolled.train("char-lm", data=str(text), symbols="bytes", threads=1, runs=str(tmp_path), **sizes)
    first, *_ = inspect_reading(ReadingRequest(str(run.folder.path), text="äö", best=256))
    assert isinstance(first, TextRead)
    assert first.tokens == ("", "ä", "", "ö")
    assert {"a", "\n", f"({0xC3})", f"({0xE2})"} <= set(first.alternatives[1])
    assert math.fsum(map(math.exp, first.alternative_log_probabilities[3])) == pytest.approx(1, abs=1e-5)
    assert torch.tensor(first.alternative_log_probabilities[3]).diff().le(0).all()
