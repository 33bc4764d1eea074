"""Weights go from Keras and back to it, and both compute the same, by outputs and final states.

Keras takes seconds to import: once, by the fixture, when the first of these tests runs. On torch's backend its products
of float64 are made in float32, so all is compared in float32, but for what is said to be exact.
"""

from __future__ import annotations

import ast
import itertools
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from unrolled import states
from unrolled.cells.elman import IRNN, Elman, ElmanReLU, ElmanSigmoid
from unrolled.cells.gru import GRU, ResetBeforeGRU
from unrolled.cells.lstm import LSTM
from unrolled.cells.lstm_variations import ProjectedLSTM
from unrolled.errors import OptionError, ShapeError
from unrolled.interchange.keras_layers import from_keras, state_from_keras, state_to_keras, to_keras
from unrolled.layers.recurrent import Recurrent

T, B, F = 6, 4, 3
SIZES = (5, 4, 3)
LENGTHS = torch.tensor([6, 2, 0, 5])
LAYERS = {
    "tanh": ("SimpleRNN", {}, Elman),
    "relu": ("SimpleRNN", {"activation": "relu"}, ElmanReLU),
    "sigmoid": ("SimpleRNN", {"activation": "sigmoid"}, ElmanSigmoid),
    "lstm": ("LSTM", {}, LSTM),
    "gru": ("GRU", {}, GRU),
    "gru-before": ("GRU", {"reset_after": False}, ResetBeforeGRU),
}
CLOSE = 1e-6


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Keras on torch's backend, with its settings in a folder of the test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        return pytest.importorskip("keras", reason="the extra `keras` is not installed")


def randomise(layer) -> None:
    """Biases and kernels far from zero, so that what is left out or exchanged shows, and ReLUs stay near 1."""
    layer.set_weights([np.random.default_rng(i).normal(0, 0.3, w.shape) for i, w in enumerate(layer.get_weights())])


def randomised(stack: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.normal_(0, 0.3)
    return stack


def layers_of(keras, kind: str, count: int, two: bool, dtype: str = "float32", **more) -> list:
    """Built layers with random weights, as a person would write them."""
    name, options, _ = LAYERS[kind]
    options = {**options, **more, "return_sequences": True, "return_state": True, "dtype": dtype}
    made, width = [], F
    for size in SIZES[:count]:
        layer = getattr(keras.layers, name)(size, **options)
        if two:
            layer = keras.layers.Bidirectional(layer, dtype=dtype)
        layer.build((None, None, width))
        randomise(layer)
        made.append(layer)
        width = 2 * size if two else size
    return made


def run(layers: list, x: torch.Tensor, start: list | None = None, mask: torch.Tensor | None = None):
    """Keras's own way: layer on layer, (B, T, F), the states of each in and out."""
    y, final = x.transpose(0, 1), []
    for number, layer in enumerate(layers):
        y, *state = layer(y, initial_state=None if start is None else start[number], mask=mask)
        final.append(state)
    return y.transpose(0, 1), final


def assert_close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=CLOSE)


def assert_states_close(ours: list, theirs: list) -> None:
    for own, other in zip(ours, theirs, strict=True):
        for a, b in zip(own, other, strict=True):
            assert_close(a, b)


def random_start(stack: Recurrent):
    return states.map_state(torch.randn_like, stack.initial_state(B))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("kind", LAYERS)
def test_keras_to_here_and_back_by_outputs_and_final_states(keras, kind, count, two, bias):
    layers = layers_of(keras, kind, count, two, use_bias=bias)
    stack = from_keras(layers)
    assert {type(cell) for layer in stack.cells() for cell in layer} == {LAYERS[kind][2]}
    x = torch.randn(T, B, F)
    start = random_start(stack)
    expected, last = run(layers, x, state_to_keras(start))
    output, final = stack(x, start)
    assert_close(output, expected)
    assert_states_close(state_to_keras(final), last)
    back = to_keras(stack)
    assert_close(back(x.transpose(0, 1)).transpose(0, 1), stack(x)[0])
    assert len(back.weights) == sum(len(layer.weights) for layer in layers)


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
def test_ragged_rows_give_what_masked_ones_give_there(keras, kind, two):
    layers = layers_of(keras, kind, 2, two)
    stack = from_keras(layers)
    x = torch.randn(T, B, F)
    inside = torch.arange(T)[:, None] < LENGTHS
    expected, last = run(layers, x, mask=inside.T)
    output, final = stack(x, lengths=LENGTHS)
    assert_close(output[inside], expected[inside])
    assert_states_close(state_to_keras(final), last)


def test_a_masking_layer_before_them_does_what_lengths_do(keras):
    stack = randomised(Recurrent(LSTM, F, (5, 4), two_directions=True))
    x = torch.randn(T, B, F)
    inside = torch.arange(T)[:, None] < LENGTHS
    padded = torch.where(inside[:, :, None], x, 9.0)
    model = keras.Sequential([keras.Input((None, F)), keras.layers.Masking(mask_value=9.0), *to_keras(stack).layers])
    assert_close(model(padded.transpose(0, 1)).transpose(0, 1)[inside], stack(x, lengths=LENGTHS)[0][inside])


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("kind", [Elman, ElmanReLU, ElmanSigmoid, IRNN, LSTM, GRU, ResetBeforeGRU])
def test_here_to_keras_and_back_gives_the_same_weights_and_outputs(keras, kind, two):
    stack = randomised(Recurrent(kind, F, (5, 4), two))
    model = to_keras(stack)
    x = torch.randn(T, B, F)
    assert_close(stack(x)[0], model(x.transpose(0, 1)).transpose(0, 1))
    again = from_keras(model)
    assert again.state_dict().keys() == stack.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), stack.parameters(), strict=True))


@pytest.mark.parametrize("kind", LAYERS)
def test_from_keras_and_back_only_joins_the_two_rows_of_a_bias(keras, kind):
    layers = layers_of(keras, kind, 2, True)
    back = to_keras(from_keras(layers)).get_weights()
    for ours, theirs in zip(back, [w for layer in layers for w in layer.get_weights()], strict=True):
        if ours.shape[0] != 2:
            np.testing.assert_array_equal(ours, theirs)
        else:
            units = theirs.shape[1] // 3
            np.testing.assert_allclose(ours.sum(0), theirs.sum(0), atol=1e-15)
            np.testing.assert_array_equal(ours[1], np.where(np.arange(3 * units) < 2 * units, 0, theirs[1]))


@pytest.mark.parametrize("kind", ["lstm", "gru", "gru-before"])
def test_every_permutation_of_blocks_would_be_seen(keras, kind):
    """The outputs that the tests compare move by far more than they may when blocks of any weight are exchanged."""
    layers = layers_of(keras, kind, 1, False)
    x = torch.randn(T, B, F)
    expected, _ = run(layers, x)
    blocks = len(LAYERS[kind][2].GATES)
    for name, order in itertools.product(("U", "W", "b", "all"), itertools.permutations(range(blocks))):
        stack = from_keras(layers)
        ((cell,),) = stack.cells()
        with torch.no_grad():
            for one in ("U", "W", "b") if name == "all" else (name,):
                weight = cell.get_parameter(one)
                weight.copy_(torch.cat([weight.chunk(blocks)[i] for i in order]))
        moved = (stack(x)[0] - expected).abs().max()
        assert moved < CLOSE if order == tuple(range(blocks)) else moved > 1e-3, (name, order)


def test_the_blocks_of_a_gru_are_update_reset_candidate_there(keras):
    """By the effect of each bias alone: one open gate after another, on a layer with no other weights."""
    layer = keras.layers.GRU(1, return_sequences=True)
    layer.build((None, None, 1))
    for block, gate in enumerate(("update", "reset", "candidate")):
        bias = np.zeros((2, 3))
        bias[0, block] = 7.0
        layer.set_weights([np.zeros((1, 3)), np.zeros((1, 3)), bias])
        ((cell,),) = from_keras(layer).cells()
        assert cell.b.tolist() == [7.0 * (gate == own) for own in GRU.GATES]


def test_a_layer_by_itself_a_list_and_a_model_are_all_taken(keras):
    (layer,) = layers_of(keras, "gru", 1, False)
    model = keras.Sequential([keras.Input((None, F)), keras.layers.LSTM(2)])
    randomise(model.layers[0])
    x = torch.randn(T, B, F)
    assert_close(from_keras(layer)(x)[0], from_keras([layer])(x)[0])
    assert_close(from_keras(model)(x)[0][-1], model(x.transpose(0, 1)))  # its last output alone, there


def test_kinds_may_differ_from_layer_to_layer(keras):
    model = keras.Sequential(
        [
            keras.Input((None, F)),
            keras.layers.LSTM(5, return_sequences=True, use_bias=False),
            keras.layers.GRU(4, return_sequences=True),
        ]
    )
    stack = from_keras(model)
    assert [type(layer[0]) for layer in stack.cells()] == [LSTM, GRU]
    x = torch.randn(T, B, F)
    back = to_keras(stack)
    assert_close(stack(x)[0], model(x.transpose(0, 1)).transpose(0, 1))
    assert_close(stack(x)[0], back(x.transpose(0, 1)).transpose(0, 1))
    assert [layer.use_bias for layer in back.layers] == [False, True]


def test_a_saved_model_comes_back_by_way_of_keras(keras, tmp_path: Path):
    stack = randomised(Recurrent(GRU, F, (5, 4), two_directions=True))
    to_keras(stack).save(tmp_path / "stack.keras")
    again = from_keras(keras.saving.load_model(tmp_path / "stack.keras"))
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), stack.parameters(), strict=True))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_types_are_kept(keras, dtype):
    # Keras's own start, orthogonal, cannot be drawn in these types on torch's backend.
    layers = layers_of(keras, "gru-before", 1, True, dtype, recurrent_initializer="zeros")
    stack = from_keras(layers)
    assert {str(parameter.dtype) for parameter in stack.parameters()} == {f"torch.{dtype}"}
    assert torch.equal(stack.cells()[0][1].U[:5], layers[0].weights[3].value[:, 5:10].T)
    with pytest.raises(OptionError, match=rf"layers of {dtype}.*stack\.float\(\)"):
        to_keras(stack)
    back = from_keras(to_keras(stack.float()))
    assert all(torch.equal(a, b) for a, b in zip(back.parameters(), stack.parameters(), strict=True))


def test_float64_is_kept_and_exact(keras):
    layers = layers_of(keras, "gru", 2, True, "float64")
    stack = from_keras(layers)
    x = torch.randn(T, B, F, dtype=torch.float64)
    # Without a mask Keras runs this layer in torch's own operations, which stay in float64.
    torch.testing.assert_close(stack(x)[0], run(layers, x)[0], rtol=0, atol=1e-12)
    back = to_keras(stack)
    assert {weight.dtype for weight in back.weights} == {"float64"}
    assert all(torch.equal(a, b) for a, b in zip(from_keras(back).parameters(), stack.parameters(), strict=True))


REFUSED = [
    (lambda layers: layers.LSTM(4, activation="relu"), "activation=relu.*no cell here is a twin"),
    (lambda layers: layers.GRU(4, recurrent_activation="hard_sigmoid"), "recurrent_activation=hard_sigmoid"),
    (lambda layers: layers.SimpleRNN(4, activation=None), "activation=linear"),
    (lambda layers: layers.LSTM(4, dropout=0.1), "dropout=0.1.*set_weights"),
    (lambda layers: layers.LSTM(4, recurrent_dropout=0.1), "recurrent_dropout=0.1"),
    (lambda layers: layers.LSTM(4, go_backwards=True), r"go_backwards.*x\.flip\(0\)"),
    (lambda layers: layers.Bidirectional(layers.GRU(4), merge_mode="sum"), "'sum'.*merge_mode='concat'"),
    (
        lambda layers: layers.Bidirectional(layers.GRU(4, go_backwards=True), backward_layer=layers.GRU(4)),
        "reads backwards first",
    ),
    (lambda layers: layers.Bidirectional(layers.RNN(layers.LSTMCell(4))), "RNN came"),
    (lambda layers: layers.Dense(4), "Dense came: give a model's recurrent layers as a list"),
]


@pytest.mark.parametrize(("make", "said"), REFUSED)
def test_what_has_no_twin_here_is_refused_in_words(keras, make, said):
    layer = make(keras.layers)
    layer.build((None, None, F))
    with pytest.raises(OptionError, match=said):
        from_keras(layer)


def test_layers_that_make_no_stack_are_refused(keras):
    lstm, gru = (layers_of(keras, kind, 1, False)[0] for kind in ("lstm", "gru"))
    two, _ = layers_of(keras, "gru", 2, True)
    with pytest.raises(OptionError, match="reads 5 features and has 5 units was expected"):
        from_keras([lstm, gru])
    with pytest.raises(OptionError, match="one direction and of two"):
        from_keras([lstm, two])
    with pytest.raises(OptionError, match="none came"):
        from_keras([])
    with pytest.raises(OptionError, match=r"has no weights yet.*build"):
        from_keras(keras.layers.LSTM(4))
    lstm.return_sequences = False
    with pytest.raises(OptionError, match="last output alone"):
        from_keras([lstm, gru])
    uneven = keras.layers.Bidirectional(
        keras.layers.GRU(4), backward_layer=keras.layers.GRU(5, go_backwards=True), merge_mode="concat"
    )
    uneven.build((None, None, F))
    with pytest.raises(OptionError, match="both directions of a layer have equally many units"):
        from_keras(uneven)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dropout": 0.1}, "a Keras layer knows no dropout between layers.*load_state_dict"),
        ({"connections": "residual"}, "residual connections"),
        ({"zoneout": 0.1}, "zoneout"),
    ],
)
def test_what_keras_has_no_twin_of_is_refused_in_words(keras, options, said):
    with pytest.raises(OptionError, match=said):
        to_keras(Recurrent(LSTM, F, (4, 4), **options))
    with pytest.raises(OptionError, match="Keras has no ProjectedLSTM"):
        to_keras(Recurrent(ProjectedLSTM, F, (4,)))


def test_states_of_another_stack_are_refused(keras):
    stack = Recurrent(LSTM, F, (5, 4), two_directions=True)
    turned = state_to_keras(stack.initial_state(B))
    assert [[tuple(leaf.shape) for leaf in layer] for layer in turned] == [[(B, 5)] * 4, [(B, 4)] * 4]
    for wrong in (turned[:1], turned[::-1], [layer[:2] for layer in turned], []):
        with pytest.raises(ShapeError, match="layer by layer, were expected"):
            state_from_keras(stack, wrong)


def test_states_turn_over_and_back(keras):
    stack = Recurrent(LSTM, F, (5, 4), two_directions=True)
    state = random_start(stack)
    turned = state_to_keras(state)
    assert torch.equal(turned[0][1], state[0][0].cell)  # forward h, forward c, backward h, backward c
    assert torch.equal(turned[1][2], state[1][1].hidden)
    again = state_from_keras(stack, turned)
    assert all(torch.equal(a, b) for a, b in zip(_flat(again), _flat(state), strict=True))


def _flat(state) -> list[torch.Tensor]:
    return [leaf for layer in state for one in layer for leaf in one]


def test_without_keras_a_person_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(OptionError, match=r"unrolled\[keras\].*KERAS_BACKEND"):
        to_keras(Recurrent(LSTM, F, (4,)))


def test_nothing_of_the_package_imports_keras_when_it_is_imported():
    for file in (Path(__file__).parents[2] / "src" / "unrolled").rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [getattr(node, "module", None), *(alias.name for alias in node.names)]
                assert not any((name or "").split(".")[0] == "keras" for name in names), file
