from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_training import settings

from unrolled.training.schedule import MARGIN, Costs, Plan, Stretch, learning_rate, plan_minutes, plan_steps
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
