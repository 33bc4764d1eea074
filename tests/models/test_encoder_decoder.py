"""The encoder–decoder: steps equal the whole, padding changes nothing, attention by hand, gradients by differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from unrolled import states
from unrolled.batch import Batch, Ragged
from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.cells.min_recurrences import MinGRU
from unrolled.errors import OptionError
from unrolled.models.encoder_decoder import EncoderDecoder

X, Y, E, H = 7, 6, 5, 4
PLACES = [("", "after"), ("general", "after"), ("dot", "fed"), ("general", "fed"), ("additive", "before")]
each_form = pytest.mark.parametrize(("attention", "place"), PLACES)


def make(attention: str = "general", place: str = "after", **more) -> EncoderDecoder:
    torch.manual_seed(0)
    two = attention != "dot"  # the dot product wants memory and queries of one size
    return EncoderDecoder(LSTM, X, Y, E, (H,), attention=attention, place=place, two_directions=two, **more)


def a_batch() -> Batch:
    torch.manual_seed(1)
    source, target = torch.randint(X, (5, 3)), torch.randint(Y, (4, 3))
    read = torch.cat([torch.zeros(1, 3, dtype=torch.int64), target[:-1]])
    lengths = torch.tensor([4, 1, 3])
    return Batch(
        {
            "source": Ragged(source, torch.tensor([2, 5, 1])),
            "symbols": Ragged(read, lengths),
            "targets": Ragged(target, lengths),
        }
    )


def row(batch: Batch, number: int) -> Batch:
    """One row by itself, cut to its lengths."""
    cut = {}
    for name, field in batch.fields.items():
        length = int(field.lengths[number])
        cut[name] = Ragged(field.values[:length, number : number + 1], field.lengths[number : number + 1])
    return Batch(cut)


def stepped(model: EncoderDecoder, batch: Batch) -> float:
    """The loss of a batch of one row, step by step through the stepper."""
    source, symbols, targets = (batch.ragged(name) for name in ("source", "symbols", "targets"))
    at, advance, total = model.encode(source.values, source.lengths), model.stepper(), 0.0
    for read, wanted in zip(symbols.values, targets.values, strict=True):
        logits, at = advance(read, at)
        total -= float(logits.log_softmax(-1)[0, wanted])
    return total


@each_form
def test_a_batch_is_its_rows_one_by_one_step_by_step(attention: str, place: str) -> None:
    model = make(attention, place).double().eval()
    batch = a_batch()
    with torch.no_grad():
        loss = model.loss(batch, ())
        apart = [stepped(model, row(batch, number)) for number in range(3)]
    assert float(loss.total) == pytest.approx(sum(apart), abs=1e-9)
    assert float(loss.count) == 8


@each_form
def test_what_stands_past_a_length_changes_nothing(attention: str, place: str) -> None:
    model = make(attention, place)
    batch = a_batch()
    model.loss(batch, ()).total.backward()
    first = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    spoilt = {
        name: Ragged(field.values.masked_fill(~field.mask(), 10**6), field.lengths)
        for name, field in batch.fields.items()
    }
    model.loss(Batch(spoilt), ()).total.backward()
    for name, parameter in model.named_parameters():
        if name in first:
            torch.testing.assert_close(parameter.grad, first[name], rtol=0, atol=0)


@each_form
def test_gradients_are_those_of_finite_differences(attention: str, place: str) -> None:
    model, batch = make(attention, place).double(), a_batch()
    names = ["encoder.layers.0.0.W", "bridge.maps.0.weight", "readout.weight", "source_embedding.weight"]
    parameters = dict(model.named_parameters())
    model.loss(batch, ()).total.backward()
    for name in names:
        parameter = parameters[name]
        for place_ in [(0, 0), (1, 2)]:
            ends = []
            for change in (1e-6, -1e-6):
                with torch.no_grad():
                    parameter[place_] += change
                    ends.append(float(model.loss(batch, ()).total.detach()))
                    parameter[place_] -= change
            assert float(parameter.grad[place_]) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-7)


def test_one_step_of_attention_by_hand() -> None:
    """ "after", general: o = tanh(R [h; Σ α e] + r), p = softmax(V o + c), out of the model's own h and e."""
    model, batch = make("general", "after").double().eval(), row(a_batch(), 1)
    source = batch.ragged("source")
    with torch.no_grad():
        at = model.encode(source.values, source.lengths)
        e, _ = model.encoder(model.source_embedding(source.values), None, source.lengths)
        h, _ = model.decoder(model.target_embedding(torch.tensor([[3]])), at.state)
        logits, after = model.stepper()(torch.tensor([3]), at)
    e, h = e[:, 0].numpy(), h[0, 0].numpy()
    W, R, r = (p.detach().numpy() for p in (model.attention.W, model.readout.weight, model.readout.bias))
    scores = e @ W.T @ h
    alpha = np.exp(scores) / np.exp(scores).sum()
    o = np.tanh(R @ np.concatenate([h, alpha @ e]) + r)
    V, c = (p.detach().numpy() for p in (model.softmax.weight, model.softmax.bias))
    np.testing.assert_allclose(after.weights[0], alpha, atol=1e-12)
    np.testing.assert_allclose(logits[0], V @ o + c, atol=1e-12)


def test_feeding_gives_the_next_step_what_the_last_one_read_out() -> None:
    model, batch = make("general", "fed").double().eval(), row(a_batch(), 0)
    source = batch.ragged("source")
    with torch.no_grad():
        at = model.encode(source.values, source.lengths)
        assert (at.fed == 0).all() and at.fed.shape == (1, E)
        _, first = model.stepper()(torch.tensor([2]), at)
        h, _ = model.decoder(torch.cat([model.target_embedding(torch.tensor([[1]])), first.fed[None]], -1), first.state)
        context, _ = model.attention(h, first.memory)
        _, second = model.stepper()(torch.tensor([1]), first)
    expected = torch.tanh(model.readout(torch.cat([h, context], -1)))[0]
    torch.testing.assert_close(second.fed, expected)


def test_coverage_sums_the_weights_of_all_steps() -> None:
    model, batch = make("additive", "before", coverage=True).double().eval(), a_batch()
    with torch.no_grad():
        model.attention.g.normal_()
        weights = model.align(batch)
        source = batch.ragged("source")
        at, advance, seen = model.encode(source.values, source.lengths), model.stepper(), 0
        for symbols in batch.ragged("symbols").values[:3]:
            _, at = advance(symbols, at)
            seen = seen + at.weights
    torch.testing.assert_close(at.seen, seen)
    torch.testing.assert_close(weights[:3, 0].sum(0), seen[0])
    assert (weights[1:, 1] == 0).all()  # a row of one symbol


def test_it_learns_to_reverse() -> None:
    """With attention the last word that was read is the first that is written, and so on."""
    torch.manual_seed(0)
    model = EncoderDecoder(GRU, 6, 8, 16, (24,), attention="general", tied=True)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    for step in range(150):
        torch.manual_seed(step)
        source = torch.randint(6, (6, 32))
        targets = torch.cat([source.flip(0), torch.full((1, 32), 7)])
        read = torch.cat([torch.full((1, 32), 6), targets[:-1]])
        six, seven = torch.full((32,), 6), torch.full((32,), 7)
        batch = Batch(
            {"source": Ragged(source, six), "symbols": Ragged(read, seven), "targets": Ragged(targets, seven)}
        )
        loss = model.loss(batch, ())
        (loss.total / loss.count).backward()
        optimiser.step()
        optimiser.zero_grad()
    assert float(loss.total.detach() / loss.count) < 0.1
    looked = model.eval().align(batch)[:6].mean(1).argmax(-1)
    assert looked.tolist() == [5, 4, 3, 2, 1, 0]


def test_smoothing_and_dropout_are_for_training_alone() -> None:
    model, batch = make(dropout=0.5, label_smoothing=0.2), a_batch()
    plain = make()
    assert float(model.eval().loss(batch, ()).total.detach()) == pytest.approx(
        float(plain.loss(batch, ()).total.detach())
    )
    smoothed, bare = make(label_smoothing=1.0).train(), make()
    with torch.no_grad():
        for one in (smoothed, bare):
            one.softmax.weight.zero_()
    assert float(smoothed.loss(batch, ()).total.detach()) == pytest.approx(8 * math.log(Y))


def test_scheduled_sampling_rises_reads_its_own_symbols_and_is_kept_with_the_weights() -> None:
    model, batch = make(scheduled_sampling=0.999, sampling_steps=2), a_batch()
    symbols = batch.ragged("symbols")
    at = model.encode(batch.ragged("source").values, batch.ragged("source").lengths)
    with torch.no_grad():
        o, _ = model.decode(symbols.values, symbols.lengths, at)
        own = model.softmax(o).argmax(-1)
        torch.manual_seed(0)
        halves = [model._partly_own(symbols.values, symbols.lengths, at) for _ in range(2)]
    assert int(model.state_dict()["updates"]) == 2
    assert torch.equal(halves[1][0], symbols.values[0]) and torch.equal(halves[1][1:], own[:-1])
    with torch.no_grad():
        assert make().loss(batch, ()).total == make(scheduled_sampling=0.5).eval().loss(batch, ()).total


@pytest.mark.parametrize("cell", [Elman, GRU, MinGRU])
def test_any_cell_and_any_depth(cell: type) -> None:
    model = EncoderDecoder(cell, X, Y, E, (H, H), attention="general").eval()
    batch = a_batch()
    with torch.no_grad():
        apart = sum(stepped(model, row(batch, number)) for number in range(3))
        assert float(model.loss(batch, ()).total) == pytest.approx(apart, abs=1e-4)


@pytest.mark.parametrize(("attention", "place"), PLACES[1:])
def test_symbols_that_move_on_lead_the_decoder_along_the_source(attention: str, place: str) -> None:
    model = make(attention, place, moves=[False, True, False, True, False, True]).double().eval()
    batch, symbols = a_batch(), torch.tensor([[0, 1, 3], [1, 1, 2], [3, 5, 5], [4, 5, 3]])
    source = batch.ragged("source")
    with torch.no_grad():
        loss = model.loss(batch, ())
        apart = [stepped(model, row(batch, number)) for number in range(3)]
        assert float(loss.total) == pytest.approx(sum(apart), abs=1e-9)
        at = model.encode(source.values, source.lengths)
        read, after = model._read(symbols, at)
    assert after.tolist() == [2, 4, 3]
    e = at.memory.values
    nothing = torch.zeros_like(e[0, 0])
    # The first source has two places, the second five, the third one.
    coming = [[e[0, 0], e[1, 1], nothing], [e[0, 1], e[1, 2], nothing], [nothing, e[1, 3], nothing]]
    coming.append([nothing, e[1, 4], nothing])
    torch.testing.assert_close(read[..., E:], torch.stack([torch.stack(one) for one in coming]))
    torch.testing.assert_close(read[..., :E], model.target_embedding(symbols))
    assert make("", "after", moves=[True] * Y).decoder.input_size == E  # without attention there is nothing to see


def test_several_symbols_at_a_place_are_added() -> None:
    model, batch = make(), a_batch()
    source = batch.ragged("source")
    pair = torch.stack([source.values, (source.values + 1) % X], -1)
    at = model.encode(pair, source.lengths)
    with torch.no_grad():
        both = model.source_embedding.weight + model.source_embedding.weight.roll(-1, 0)
        model.source_embedding.weight.copy_(both)
    summed = model.encode(source.values, source.lengths)
    torch.testing.assert_close(at.memory.values, summed.memory.values)


def test_the_encoders_end_starts_the_decoder() -> None:
    model, batch = make("").double(), a_batch()
    source = batch.ragged("source")
    with torch.no_grad():
        at = model.encode(source.values, source.lengths)
        _, final = model.encoder(model.source_embedding(source.values), None, source.lengths)
        read = torch.cat([leaf for own in final[0] for _, leaf in states.leaves(own)], -1)
        given = model.bridge.maps[0](read)
    torch.testing.assert_close(torch.cat([leaf for _, leaf in states.leaves(at.state)], -1), given)


def test_what_cannot_be_built_is_said() -> None:
    with pytest.raises(OptionError, match="coverage needs an attention of which each step sees"):
        make("additive", "after", coverage=True)
    with pytest.raises(OptionError, match="without attention looks nowhere"):
        make("").align(a_batch())
