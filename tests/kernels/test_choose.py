"""Which kernel runs, and what is said where none may."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells.cell import state_like
from unrolled.cells.elman import ElmanSigmoid
from unrolled.cells.gru import GRU
from unrolled.cells.lru import LRU
from unrolled.cells.lstm import LSTM
from unrolled.cells.xlstm import MLSTM
from unrolled.errors import KernelError, OptionError
from unrolled.kernels import choose, native_core
from unrolled.kernels.fused import Fused
from unrolled.kernels.kernel import Pass
from unrolled.layers.recurrent import Recurrent


def a_pass(cell, steps=4):
    x = torch.randn(steps, 2, cell.input_size)
    return Pass(cell, x, state_like(cell, x))


@pytest.fixture(autouse=True)
def without_the_native_core(request, monkeypatch):
    """Most of these tests are about the others: the native core need not be there."""
    if "core" not in request.fixturenames:
        monkeypatch.setattr(native_core, "is_built", lambda: False)


@pytest.fixture
def core():
    if not native_core.is_built():
        pytest.skip("no C++ compiler built the native core")


def test_the_native_kernel_is_taken_where_it_is_faster(core):
    assert choose.choose([a_pass(GRU(2, 3))]).NAME == "native"
    assert choose.choose([a_pass(LSTM(2, 3))]).NAME == "native"
    assert choose.choose([a_pass(ElmanSigmoid(2, 3), steps=1)]).NAME == "native"  # torch has none
    assert choose.choose([a_pass(GRU(2, 3), steps=1)]).NAME == "fused"
    with torch.no_grad():
        assert choose.choose([a_pass(GRU(2, 3))]).NAME == "native"
        assert choose.choose([a_pass(LSTM(2, 3))]).NAME == "fused"
        assert "no gradients to compute" in choose.explain([a_pass(LSTM(2, 3))])["native"][0]
        assert choose.choose([a_pass(LSTM(2, 3))], name="native").NAME == "native"  # it yields; it does not refuse
    assert "few steps" in choose.explain([a_pass(GRU(2, 3), steps=1)])["native"][0]


def test_without_a_compiler_the_native_kernel_says_so():
    assert choose.explain([a_pass(GRU(2, 3))])["native"] == [
        "the native core was not built when this package was installed: there was no C++ compiler"
    ]


def test_the_fastest_that_does_not_refuse_is_taken():
    assert choose.choose([a_pass(GRU(2, 3))]).NAME == "fused"
    assert choose.choose([a_pass(GRU(2, 3))], record=("gates",)).NAME == "reference"
    assert choose.choose([a_pass(ElmanSigmoid(2, 3))]).NAME == "reference"
    assert choose.choose([a_pass(GRU(2, 3)), a_pass(ElmanSigmoid(2, 3))]).NAME == "reference"
    assert choose.choose([a_pass(GRU(2, 3))], name="reference").NAME == "reference"
    assert choose.choose([a_pass(LRU(2, 3))]).NAME == "scan"
    assert choose.choose([a_pass(MLSTM(2, 4))]).NAME == "chunked"
    assert choose.choose([a_pass(MLSTM(2, 4))], record=("states",)).NAME == "reference"


def test_a_subclass_of_a_cell_with_a_twin_has_none():
    class Mine(GRU):
        pass

    assert choose.choose([a_pass(Mine(2, 3))]).NAME == "reference"


@pytest.mark.parametrize(
    ("cell", "record", "words"),
    [
        (
            ElmanSigmoid(2, 3),
            (),
            r"ElmanSigmoid has no twin .*with one: Elman, ElmanReLU, GRU, IRNN, LSTM, ProjectedLSTM\)",
        ),
        (GRU(2, 3), ("states",), r"no record of every step \(states asked for\)"),
    ],
)
def test_a_kernel_asked_for_by_name_never_gives_way(cell, record, words):
    with pytest.raises(KernelError, match=words):
        choose.choose([a_pass(cell)], record, "fused")
    with pytest.raises(KernelError, match=words):
        Fused().run([a_pass(cell)], record)
    stack = Recurrent(lambda F, H: cell, 2, [3], kernel="fused")
    with pytest.raises(KernelError, match=words):
        stack.record(torch.randn(3, 2, 2), record=record)


def test_a_kernel_that_is_not_there_is_told_with_the_nearest():
    with pytest.raises(
        OptionError, match=r"called 'fuzed'.*'fused'.*Known: auto, native, fused, chunked, traced, scan, reference"
    ):
        choose.named("fuzed")
    with pytest.raises(OptionError, match="fuzed"):
        Recurrent(GRU, 2, [3], kernel="fuzed")


def test_the_explanation_names_every_kernel_in_the_order_of_trial():
    explained = choose.explain([a_pass(ElmanSigmoid(2, 3))])
    assert list(explained) == ["native", "fused", "chunked", "traced", "scan", "reference"]
    assert explained["reference"] == []
    assert len(explained["fused"]) == 1


def test_where_all_refuse_every_reason_is_given(monkeypatch):
    monkeypatch.setattr(choose, "KERNELS", (Fused(),))
    with pytest.raises(KernelError, match="fused: ElmanSigmoid has no twin"):
        choose.choose([a_pass(ElmanSigmoid(2, 3))])


def test_the_fused_kernel_shares_the_weights():
    cell = GRU(2, 3)
    one = a_pass(cell)
    before = Fused().run([one])[0].output
    with torch.no_grad():
        cell.W.mul_(2)
    assert not torch.equal(Fused().run([one])[0].output, before)
