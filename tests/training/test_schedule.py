from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_training import settings

from unrolled.training.schedule import (
    MARGIN,
    Costs,
    Pace,
    Plan,
    Stretch,
    adjusted,
    learning_rate,
    plan_minutes,
    plan_steps,
)
from unrolled.training.settings import Budget


def plan(steps: int, decay_from: int) -> Plan:
    return Plan(steps, decay_from, 1, 1, 1)


def test_values_by_hand() -> None:
    asked = settings(rate=0.4, warmup_steps=4, final_rate=0.1, decay="linear")
    rates = [learning_rate(step, asked, plan(14, 4)) for step in (0, 1, 3, 4, 9, 13)]
    assert rates == pytest.approx([0.1, 0.2, 0.4, 0.4, 0.4 * 0.55, 0.4 * 0.19])
    asked = settings(rate=0.4, warmup_steps=4, final_rate=0.1, decay="cosine")
    rates = [learning_rate(step, asked, plan(12, 4)) for step in (4, 6, 8)]
    assert rates == pytest.approx([0.4, 0.4 * (0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2), 0.4 * 0.55])
    asked = settings(rate=0.4, warmup_steps=0, decay="constant")
    assert [learning_rate(step, asked, plan(5, 0)) for step in (0, 4)] == [0.4, 0.4]


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 200))
def test_the_rate_before_the_plan_is_the_rate_after_it(warmup: int, planned_at: int, more: int) -> None:
    """What the timed stretch ran at does not depend on what it led to."""
    asked = settings(warmup_steps=warmup, rate=1.0)
    made = plan(planned_at + more, max(warmup, planned_at))
    for step in range(planned_at):
        assert learning_rate(step, asked, None) == learning_rate(step, asked, made)
    for step in range(planned_at, planned_at + more):
        assert 0 < learning_rate(step, asked, made) <= 1.0


def test_cadence_from_a_budget_in_steps() -> None:
    made = plan_steps(settings(budget=Budget(steps=1000), checkpoint_every=0), 10)
    assert made == Plan(1000, 4, 100, 100, 50)
    made = plan_steps(settings(budget=Budget(epochs=0.25), checkpoint_every=0, validate_every=7), 10)
    assert made == Plan(3, 4, 7, 1, 1)


@given(
    seconds=st.floats(1, 600),
    update=st.floats(1e-4, 2),
    validation=st.floats(0, 20),
    sample=st.floats(0, 2),
    checkpoint=st.floats(0, 2),
    every=st.tuples(*[st.sampled_from([0, 10, 300])] * 3),
)
def test_a_plan_fits_into_its_minutes(
    seconds: float, update: float, validation: float, sample: float, checkpoint: float, every: tuple[int, int, int]
) -> None:
    """Played through at the measured costs, with a new best saved at each validation, it ends in time."""
    asked = settings(
        budget=Budget(minutes=seconds / 60), validate_every=every[0], sample_every=every[1], checkpoint_every=every[2]
    )
    made = plan_minutes(asked, 30, seconds, Costs(update, validation, sample, checkpoint), 1.0)
    spent = 0.0
    for step in range(31, made.steps + 1):
        last = step == made.steps
        validates, saves = last or step % made.validate_every == 0, last or step % made.checkpoint_every == 0
        spent += update + validates * validation + (last or step % made.sample_every == 0) * sample
        spent += (saves or (validates and validation > 0)) * checkpoint
    assert made.steps == 30 or spent <= seconds * (1 - MARGIN) + update + validation + sample + 2 * checkpoint
    if not any((validation, sample, checkpoint)) and made.steps > 30:
        assert spent > seconds * (1 - MARGIN) - 2 * update  # and it is used


def test_the_stretch_leaves_out_the_first_updates() -> None:
    now = [0.0]
    stretch = Stretch(minutes=2.0, elapsed=0.0, clock=lambda: now[0])
    assert stretch.limit == 6.0
    for cost in [5.0, 1.0, 1.0] + [0.5] * 20:
        assert not stretch.over()
        now[0] += cost
        stretch.update(10)
    assert stretch.over()
    assert stretch.seconds_per_update() == 0.5
    assert stretch.units_per_second() == 20.0


def test_the_stretch_of_slow_updates_ends() -> None:
    now = [0.0]
    stretch = Stretch(minutes=1.0, elapsed=0.0, clock=lambda: now[0])
    while not stretch.over():
        now[0] += 10.0
        stretch.update(1)
    assert stretch.updates == 4


def test_an_adjusted_plan_by_hand() -> None:
    """100 updates planned, at 40 there is time for 30 more: the rate falls on from 0.6, to 0 in 30."""
    asked = settings(budget=Budget(minutes=1.0), warmup_steps=0, rate=1.0, decay="linear", final_rate=0.0)
    old = plan(100, 0)
    new = adjusted(old, asked, 40, seconds=30.0 + MARGIN * 60, update=1.0)
    assert (new.steps, new.decay_from, new.done) == (70, 40, pytest.approx(0.4))
    rates = [learning_rate(step, asked, new) for step in (40, 55, 69)]
    assert rates == pytest.approx([0.6, 0.3, 0.02])
    assert learning_rate(39, asked, old) == pytest.approx(0.61)
    again = adjusted(new, asked, 55, seconds=10.0 + MARGIN * 60, update=1.0)
    assert (again.steps, again.done) == (65, pytest.approx(0.7))
    assert Plan.from_numbers(again.numbers()) == again
    assert Plan.from_dict(again.to_dict()) == again
    # No time is left: one more, so that the end is an end.
    assert adjusted(old, asked, 40, seconds=-5.0, update=1.0).steps == 41
    # While the rate still rises, the decay has not begun.
    assert adjusted(plan(100, 50), asked, 10, seconds=100 + MARGIN * 60, update=1.0) == plan(110, 50)


def test_the_pace_is_that_since_the_checkpoint_before_the_last() -> None:
    now = [0.0]
    asked = settings(budget=Budget(minutes=10.0), warmup_steps=0)
    pace = Pace(closing=2.0, clock=lambda: now[0])
    made = plan(1000, 0)
    assert pace.fit(made, asked, 100, 1e9) == made  # one checkpoint is no pace
    for step, moment, pace_then in ((200, 100.0, 1.0), (300, 400.0, 2.0), (400, 500.0, 2.0), (500, 600.0, 1.0)):
        now[0] = moment
        fitted = pace.fit(made, asked, step, 200.0 + 2.0 + MARGIN * 600)
        assert fitted.steps == step + 200 / pace_then
    # Gone back: what lies ahead of it is forgotten.
    now[0] = 700.0
    assert pace.fit(made, asked, 450, 100 + 2.0 + MARGIN * 600).steps == 450 + 100 / 2.0
