from __future__ import annotations

import itertools
import math
import time
from pathlib import Path

import pytest
import torch
from tiny_training import Tiny, TinySource, TinyState, digest, loss_times, nan_in_data, of_kind, run, settings

from unrolled.batch import Batch
from unrolled.errors import OptionError, RunError, TrainingError
from unrolled.models.model import Loss
from unrolled.training.checkpoint import Checkpoints
from unrolled.training.events import Finished, Interrupted, Planned, RolledBack, Sampled, Skipped, Updated, Validated
from unrolled.training.rollback import MOST_ROLLBACKS
from unrolled.training.settings import Budget


def by_hand(source: TinySource, updates: int, rate: float, reduction: str = "mean") -> tuple[Tiny, list[float]]:
    """Adagrad on manually carried states, written without the loop."""
    model = Tiny()
    memory = [torch.zeros_like(p) for p in model.parameters()]
    hidden = torch.zeros(source.batch_size, 5)
    losses = []
    for number in range(updates):
        batch = source.batch(number)
        assert batch.fresh is not None
        hidden = hidden * ~batch.fresh[:, None]
        loss = model.loss(batch, TinyState(hidden))
        minimised = loss.total / (loss.count if reduction == "mean" else source.batch_size)
        gradients = torch.autograd.grad(minimised, list(model.parameters()))
        losses.append(float(minimised.detach()))
        with torch.no_grad():
            for p, g, m in zip(model.parameters(), gradients, memory, strict=True):
                m.add_(g * g)
                p.sub_(rate * g / (m + 1e-8).sqrt())
        hidden = loss.state.hidden.detach()
    return model, losses


@pytest.mark.parametrize("reduction", ["mean", "rows"])
def test_the_loop_is_truncated_backpropagation_by_hand(tmp_path: Path, reduction: str) -> None:
    """State carried, rows reset where fresh, cut between windows; a run of 12 updates at a constant rate."""
    source = TinySource(resets=0.3)
    asked = settings(
        budget=Budget(steps=12), optimiser="adagrad", rate=0.05, warmup_steps=0, decay="constant", clip_norm=0.0,
        reduction=reduction,
    )  # fmt: skip
    events, model = run(tmp_path, Tiny(), source, asked)
    expected, losses = by_hand(TinySource(resets=0.3), 12, 0.05, reduction)
    assert [event.loss for event in of_kind(events, Updated)] == pytest.approx(losses, rel=1e-5)
    for (name, found), wanted in zip(model.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6, msg=name)


def test_all_rows_are_fresh_where_the_source_says_nothing(tmp_path: Path) -> None:
    class Whole(TinySource):
        def batch(self, number: int) -> Batch:
            batch = super().batch(number)
            return Batch(batch.fields, None, batch.rows)

    asked = settings(budget=Budget(steps=3), optimiser="adagrad", warmup_steps=0, decay="constant", clip_norm=0.0)
    events, _ = run(tmp_path, Tiny(), Whole(), asked)
    _, losses = by_hand(TinySource(resets=2.0), 3, asked.rate)
    assert [event.loss for event in of_kind(events, Updated)] == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize("optimiser", ["adamw", "muon", "adagrad"])
@pytest.mark.parametrize("stop_at", [1, 5, 13, 23])
def test_resuming_is_bit_for_bit(tmp_path: Path, optimiser: str, stop_at: int) -> None:
    asked = settings(optimiser=optimiser, weight_decay=0.1)
    straight, model = run(tmp_path / "straight", asked=asked)
    events, _ = run(tmp_path / "a", asked=asked, stop_at=stop_at)
    assert isinstance(events[-1], Interrupted)
    assert events[-1].step == stop_at
    # Nothing of the new model or of torch's random state matters.
    torch.manual_seed(stop_at)
    events, resumed = run(tmp_path / "a", Tiny(dropout=0.2, seed=99), asked=asked, resume=True)
    assert of_kind(events, Updated)[0].step == stop_at + 1
    assert digest(resumed) == digest(model)
    assert events[-1].digest == straight[-1].digest


def test_dropout_and_resets_have_a_say_in_the_outcome(tmp_path: Path) -> None:
    """Else the test above would show little."""
    outcomes = set()
    for dropout, resets, seed in ((0.2, 0.3, 0), (0.0, 0.3, 0), (0.2, 0.0, 0), (0.2, 0.3, 1)):
        folder = tmp_path / f"{dropout} {resets} {seed}"
        outcomes.add(digest(run(folder, Tiny(dropout), TinySource(resets=resets), settings(seed=seed))[1]))
    assert len(outcomes) == 4


def test_looking_at_the_model_does_not_disturb_it(tmp_path: Path) -> None:
    def validate(model: torch.nn.Module) -> dict[str, float]:
        assert not model.training
        assert not torch.is_grad_enabled()
        return {"loss": float(torch.rand(()))}

    def sample(model: torch.nn.Module, step: int) -> str:
        return f"{step} {float(torch.rand(()))}"

    _, plain = run(tmp_path / "plain", asked=settings(validate_every=24, sample_every=24, checkpoint_every=24))
    events, looked_at = run(
        tmp_path / "looked", asked=settings(validate_every=2, sample_every=3, checkpoint_every=1),
        validate=validate, sample=sample,
    )  # fmt: skip
    assert [event.step for event in of_kind(events, Validated)] == list(range(2, 25, 2))
    assert [event.step for event in of_kind(events, Sampled)] == list(range(3, 25, 3))
    assert digest(plain) == digest(looked_at)
    assert looked_at.training


def test_the_best_checkpoint_stays(tmp_path: Path) -> None:
    figures = iter([3.0, 1.0, math.nan, 2.0, 1.0, 4.0])
    kept = []

    def validate(model: Tiny) -> dict[str, float]:
        kept.append(model.readout.weight.detach().clone())
        return {"loss": next(figures), "other": 0.0}

    asked = settings(validate_every=4)
    events, _ = run(tmp_path, asked=asked, validate=validate)
    assert [event.best for event in of_kind(events, Validated)] == [True, True, False, False, False, False]
    checkpoints = Checkpoints(tmp_path)
    best = checkpoints.best()
    assert best is not None
    assert best.step == 8
    assert torch.equal(checkpoints.load(best).tensors["weights/readout.weight"], kept[1])
    assert [entry.step for entry in checkpoints.entries()] == [8, 20, 24]


def test_without_validation_none_is_best(tmp_path: Path) -> None:
    run(tmp_path)
    assert Checkpoints(tmp_path).best() is None


def test_nan_in_the_data_is_skipped_at_once(tmp_path: Path) -> None:
    source = TinySource(spoil={7: nan_in_data(row=2)})
    events, model = run(tmp_path, source=source)
    (skipped,) = of_kind(events, Skipped)
    assert skipped.step == 7
    assert "'x' of batch 7 (window 7) holds NaN in rows 2" in skipped.reason
    assert not of_kind(events, RolledBack)
    assert source.asked[-1] == 24  # one more window, for as many updates
    assert len(of_kind(events, Updated)) == 24
    assert all(bool(p.isfinite().all()) for p in model.parameters())


class PoisonedGradient(Tiny):
    """The loss of batch 12 is what it was, and its gradient is NaN: √0 has no slope."""

    def loss(self, batch: Batch, state: TinyState) -> Loss:
        loss = super().loss(batch, state)
        if batch.origin == "window 12":
            return loss._replace(total=loss.total + (0 * self.readout.bias).sqrt().sum())
        return loss


@pytest.mark.parametrize(
    ("model", "spoil", "said"),
    [
        (Tiny, {12: loss_times(math.nan)}, "the loss was nan at step 12"),
        (Tiny, {12: loss_times(1e38)}, "the loss was inf at step 12"),
        (Tiny, {12: loss_times(1e3)}, "the loss exploded at step 12"),
        (PoisonedGradient, {}, "the gradient's norm was nan at step 12"),
    ],
)
def test_trouble_goes_back_with_half_the_rate_and_skips_the_second_time(
    tmp_path: Path, model: type[Tiny], spoil: dict, said: str
) -> None:
    asked = settings(decay="constant")
    if said.startswith("the loss was nan"):  # not in a field that is checked, but in the model's own sum
        spoil = {12: loss_times(math.inf)}
        said = "holds an infinity"
    events, trained = run(tmp_path, model(), TinySource(spoil=spoil), asked)
    (skipped,) = of_kind(events, Skipped)
    assert said in skipped.reason
    if "holds" not in said:
        (back,) = of_kind(events, RolledBack)
        assert back.reason.startswith(said)
        assert (back.step, back.to_step, back.rate_factor) == (12, 10, 0.5)
        assert of_kind(events, Updated)[-1].rate == asked.rate / 2
    assert events[-1].step == 24
    assert all(bool(p.isfinite().all()) for p in trained.parameters())


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    """An optimiser's step breaks them; it shows when the checkpoint is due, before anything is lost."""

    class Breaks(Tiny):
        def loss(self, batch: Batch, state: TinyState) -> Loss:
            if batch.origin == "window 9":
                with torch.no_grad():
                    self.unused.fill_(math.nan)
            return super().loss(batch, state)

    model = Breaks()
    model.register_buffer("unused", torch.zeros(2))
    events, _ = run(tmp_path, model)
    first, second = of_kind(events, RolledBack)
    assert first.reason == "the weight 'unused' was not finite after step 10"
    assert (first.to_step, second.to_step) == (5, 5)
    (skipped,) = of_kind(events, Skipped)
    assert "batch 9" in skipped.reason
    for entry in Checkpoints(tmp_path).entries():
        assert all(bool(t.isfinite().all()) for t in Checkpoints(tmp_path).load(entry).tensors.values())


def test_when_every_way_back_has_been_tried_it_says_so(tmp_path: Path) -> None:
    """From batch 12 on, everything breaks."""
    spoil = {number: loss_times(1e38) for number in range(12, 400)}
    with pytest.raises(TrainingError, match=rf"{MOST_ROLLBACKS} ways back, .* did not help: train with a lower rate"):
        run(tmp_path, source=TinySource(spoil=spoil))
    assert Checkpoints(tmp_path).latest() is not None


def test_data_that_is_all_nan_ends_too(tmp_path: Path) -> None:
    spoil = {number: nan_in_data() for number in range(400)}
    with pytest.raises(TrainingError, match=r"100 batches one after the other could not be used.*'x' of batch 100"):
        run(tmp_path, source=TinySource(spoil=spoil))


def test_epochs_and_events(tmp_path: Path) -> None:
    events, model = run(tmp_path, asked=settings(budget=Budget(epochs=1.5)))
    (planned,) = of_kind(events, Planned)
    assert (planned.steps, planned.epochs, planned.unit, planned.per_second) == (12, 1.5, "values", None)
    assert planned.parameters == sum(p.numel() for p in model.parameters())
    updated = of_kind(events, Updated)
    assert [event.step for event in updated] == list(range(1, 13))
    assert updated[-1].epoch == 1.5
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.digest == Checkpoints(tmp_path).entries()[-1].digest
    assert 0 < finished.core_share <= 1


def test_a_finished_training_resumed_is_finished(tmp_path: Path) -> None:
    events, model = run(tmp_path)
    again, loaded = run(tmp_path, Tiny(0.2, seed=5), resume=True)
    assert not of_kind(again, Updated)
    assert again[-1].digest == events[-1].digest
    assert digest(loaded) == digest(model)


def test_minutes_become_a_plan_that_holds(tmp_path: Path) -> None:
    class Slow(TinySource):
        def batch(self, number: int) -> Batch:
            time.sleep(0.004)
            return super().batch(number)

    seconds = 3.0
    asked = settings(budget=Budget(minutes=seconds / 60), checkpoint_every=0, warmup_steps=10)
    began = time.monotonic()
    # A second is gone before training starts.
    events, _ = run(tmp_path / "a", source=Slow(), asked=asked, started=began - 1.0)
    took = time.monotonic() - began
    assert 0.5 * (seconds - 1) < took < seconds
    planned, *later = of_kind(events, Planned)
    assert 20 < planned.step < planned.steps
    assert planned.per_second == pytest.approx(24 / 0.0055, rel=0.6)
    assert len(of_kind(events, Updated)) == [planned, *later][-1].steps
    assert of_kind(events, Updated)[-1].rate < 0.1 * asked.rate

    # Stopped after the plan: it is in the checkpoint, and no clock changes it.
    events, _ = run(tmp_path / "b", source=Slow(), asked=asked, stop_at=60, started=time.monotonic())
    planned = of_kind(events, Planned)[-1]
    events, _ = run(tmp_path / "b", source=TinySource(), asked=asked, resume=True, started=time.monotonic() - 1000)
    assert of_kind(events, Planned)[0].steps == planned.steps == events[-1].step


def test_a_plan_follows_a_machine_that_changes_its_speed(tmp_path: Path) -> None:
    """Four times slower after the plan was made, or four times faster: the minutes are kept, and used."""
    for before, after in ((0.002, 0.008), (0.008, 0.002)):
        now = 0.0

        def clock() -> float:
            return now  # noqa: B023

        class Drifting(TinySource):
            def batch(self, number: int, before: float = before, after: float = after) -> Batch:
                nonlocal now
                now += before if number < 60 else after
                return super().batch(number)

        asked = settings(budget=Budget(minutes=0.06), checkpoint_every=25, warmup_steps=10, decay="linear", rate=1e-3)
        events, _ = run(tmp_path / str(before), source=Drifting(), asked=asked, clock=clock, started=0.0)
        assert 0.7 * 3.6 < now < 3.6 + 0.1
        plans = [planned.steps for planned in of_kind(events, Planned)]
        assert plans[-1] == events[-1].step
        assert (plans[-1] < 0.8 * plans[0]) if before < after else (plans[-1] > 1.3 * plans[0])
        rates = [updated.rate for updated in of_kind(events, Updated)]
        assert all(later <= earlier for earlier, later in itertools.pairwise(rates[10:]))
        assert rates[-1] < 0.1 * asked.rate


def test_minutes_and_rates_are_counted_by_the_clock_that_is_given(tmp_path: Path) -> None:
    """A clock that goes on by half a second whenever it is read: a minute of it is over after a moment."""
    ticks = itertools.count()
    asked = settings(budget=Budget(minutes=1.0), warmup_steps=10)
    events, _ = run(tmp_path, Tiny(), TinySource(), asked, clock=lambda: 0.5 * next(ticks), started=0.0)
    (finished,) = of_kind(events, Finished)
    assert 0.7 < finished.minutes < 1.05
    assert 10 < finished.step < 120  # an update reads it at least once

    # Nor do rates know another: 12 symbols an update, at one reading and what there is between.
    assert max(event.per_second for event in of_kind(events, Updated)) <= 12 / 0.5


def test_minutes_that_are_gone_before_it_starts(tmp_path: Path) -> None:
    asked = settings(budget=Budget(minutes=0.01))
    events, _ = run(tmp_path, asked=asked, started=time.monotonic() - 60)
    assert isinstance(events[-1], Finished)
    assert 1 <= events[-1].step < 30


def test_bfloat16_keeps_weights_and_states_in_float32(tmp_path: Path) -> None:
    _, model = run(tmp_path / "a", asked=settings(dtype="bfloat16"))
    _, exact = run(tmp_path / "b", asked=settings())
    checkpoint = Checkpoints(tmp_path / "a").latest()
    assert checkpoint is not None
    assert {tensor.dtype for tensor in checkpoint.tensors.values()} == {torch.float32}
    assert digest(model) != digest(exact)
    assert torch.allclose(model.readout.weight, exact.readout.weight, atol=0.05)


def test_float64_holds_everything_in_float64(tmp_path: Path) -> None:
    run(tmp_path, asked=settings(dtype="float64"))
    checkpoint = Checkpoints(tmp_path).latest()
    assert checkpoint is not None
    found = {tensor.dtype for name, tensor in checkpoint.tensors.items() if not name.endswith("/step")}
    assert found == {torch.float64}


def test_denormals_are_as_they_were(tmp_path: Path) -> None:
    tiny = torch.tensor(torch.finfo(torch.float32).tiny)
    inside = []
    run(
        tmp_path,
        asked=settings(budget=Budget(steps=1)),
        validate=lambda m: inside.append(float(tiny / 2)) or {"a": 1.0},
    )
    assert inside == [0.0]
    assert float(tiny / 2) > 0


@pytest.mark.parametrize("budget", [Budget(), Budget(steps=1, minutes=1), Budget(steps=0), Budget(minutes=math.inf)])
def test_a_budget_that_cannot_be(tmp_path: Path, budget: Budget) -> None:
    with pytest.raises(OptionError, match="budget"):
        run(tmp_path, asked=settings(budget=budget))


def test_a_new_training_is_not_put_over_an_old_one(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(RunError, match="holds a training of 24 steps already; resume it"):
        run(tmp_path)


def test_resuming_before_the_first_checkpoint_starts_anew(tmp_path: Path) -> None:
    _, model = run(tmp_path / "a")
    _, resumed = run(tmp_path / "b", resume=True)
    assert digest(model) == digest(resumed)
