"""From a budget to a number of updates, and the learning rate at each.

A budget in minutes becomes a number of updates after a timed stretch at the start. At each checkpoint the number is
held against the clock, since machines change their speed by a fifth within minutes, and the plan is stored with the
weights. A run that was stopped keeps the plan that it had.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from unrolled.errors import CheckpointError, OptionError
from unrolled.training.settings import Budget, Settings

#: Updates at the start that are not timed: caches, memory and thread pools are still being filled.
UNTIMED = 3
#: Updates that are timed at least, and for how long at most.
TIMED = 20
TIMED_SECONDS = 10.0
#: What the timed stretch may take of the minutes, what is kept as a margin, and what derived validations may take.
TIMED_SHARE = 0.05
MARGIN = 0.02
VALIDATION_SHARE = 0.03
#: How many of each a plan has, where settings do not say how often.
VALIDATIONS, SAMPLES, CHECKPOINTS = 10, 10, 20
#: Checkpoints the plan chose are this far apart at least, in seconds, where time is known, and at most, in updates.
CHECKPOINT_SECONDS = 20.0
CHECKPOINT_STEPS = 500


@dataclass(frozen=True)
class Plan:
    """What the budget comes to.

    steps: updates in all. decay_from: the update at which the rate starts to fall.
    validate_every, sample_every, checkpoint_every: updates; the last update has all three besides.
    per_second: units a second in the timed stretch; None where nothing had to be timed.
    done: how far the decay had come at `decay_from`, from 0 to 1.
    """

    steps: int
    decay_from: int
    validate_every: int
    sample_every: int
    checkpoint_every: int
    per_second: float | None = None
    done: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Plan:
        if set(facts) != {f.name for f in fields(cls)}:
            raise CheckpointError(
                f"a plan of {[f.name for f in fields(cls)]} was expected in the checkpoint; {facts} came"
            )
        return cls(**facts)

    def numbers(self) -> list[float]:
        """As numbers, for another process: `from_numbers` takes them back."""
        return [float(value or 0) for value in asdict(self).values()]

    @classmethod
    def from_numbers(cls, numbers: Sequence[float]) -> Plan:
        *counts, per_second, done = numbers
        return cls(*(int(n) for n in counts), per_second=per_second or None, done=done)

    def progress(self, step: int) -> float:
        """How far the decay has come before update `step`, from 0 to 1."""
        if step < self.decay_from:
            return self.done
        return self.done + (1 - self.done) * (step - self.decay_from) / (self.steps - self.decay_from)


def learning_rate(step: int, settings: Settings, plan: Plan | None) -> float:
    """The rate of update `step` (0, 1, …): a linear rise over `warmup_steps`, then the way down.

    Before the plan is known the rate is at its height once it has risen, and the decay starts after that.
    """
    rise = min(1.0, (step + 1) / settings.warmup_steps) if settings.warmup_steps else 1.0
    if plan is None or step < plan.decay_from or settings.decay == "constant":
        return settings.rate * rise
    # The last update is a little above `final_rate`: at a rate of 0 it would be none.
    done = plan.progress(step)
    height = 0.5 * (1 + math.cos(math.pi * done)) if settings.decay == "cosine" else 1 - done
    return settings.rate * rise * (settings.final_rate + (1 - settings.final_rate) * height)


def check(budget: Budget) -> None:
    """OptionError unless exactly one of steps, epochs and minutes is given, and is above zero."""
    given = {name: value for name, value in asdict(budget).items() if value is not None}
    if len(given) != 1:
        raise OptionError(f"a budget is steps, epochs or minutes, one of them; {' and '.join(given) or 'none'} came")
    ((name, value),) = given.items()
    if not (value > 0 and math.isfinite(value)):
        raise OptionError(f"a budget of {value} {name} trains nothing; give a number above 0")


def plan_steps(settings: Settings, batches_per_epoch: int) -> Plan | None:
    """The plan of a budget in steps or epochs; None for minutes, which must be timed first."""
    if settings.budget.minutes is not None:
        return None
    steps = settings.budget.steps or math.ceil((settings.budget.epochs or 0) * batches_per_epoch)
    return Plan(
        steps,
        decay_from=settings.warmup_steps,
        validate_every=settings.validate_every or math.ceil(steps / VALIDATIONS),
        sample_every=settings.sample_every or math.ceil(steps / SAMPLES),
        checkpoint_every=settings.checkpoint_every or min(math.ceil(steps / CHECKPOINTS), CHECKPOINT_STEPS),
    )


@dataclass(frozen=True)
class Costs:
    """Seconds that each takes: one update, one validation, one sample, one checkpoint; 0 for what is not done."""

    update: float
    validation: float = 0.0
    sample: float = 0.0
    checkpoint: float = 0.0


def plan_minutes(settings: Settings, step: int, seconds: float, costs: Costs, per_second: float) -> Plan:
    """The plan for what is left of a budget in minutes: `seconds`, with `step` updates done."""
    left = max(0.0, seconds - MARGIN * 60 * (settings.budget.minutes or 0))
    affordable = int(VALIDATION_SHARE * left / costs.validation) if costs.validation else VALIDATIONS
    validations = max(1, min(VALIDATIONS, affordable))
    samples = max(1, min(SAMPLES, int(VALIDATION_SHARE * left / costs.sample) if costs.sample else SAMPLES))
    checkpoints = max(1, min(CHECKPOINTS, int(left / CHECKPOINT_SECONDS)))

    # What settings fix in updates costs a share of every update; what is so many times costs that often. The last
    # update has one of each in any case. A new best is saved at every validation, in the worst case.
    each, fixed = costs.update, costs.validation + costs.sample + costs.checkpoint
    for every, times, cost in (
        (settings.validate_every, validations, costs.validation + (costs.checkpoint if costs.validation else 0)),
        (settings.sample_every, samples, costs.sample),
        (settings.checkpoint_every, checkpoints, costs.checkpoint),
    ):
        if every:
            each += cost / every
        else:
            fixed += cost * (times - 1)
    more = int(max(0.0, left - fixed) / each)
    steps = max(step, 1) + more
    return Plan(
        steps,
        decay_from=max(settings.warmup_steps, step),
        validate_every=settings.validate_every or math.ceil(steps / validations),
        sample_every=settings.sample_every or math.ceil(steps / samples),
        checkpoint_every=settings.checkpoint_every or math.ceil(steps / checkpoints),
        per_second=per_second,
    )


def adjusted(plan: Plan, settings: Settings, step: int, seconds: float, update: float) -> Plan:
    """The plan with as many updates more as fit into `seconds`, after `step`, each costing `update` with all there is.

    The rate goes on falling from where it stands, now by as much an update as brings it down in time.
    """
    left = max(0.0, seconds - MARGIN * 60 * (settings.budget.minutes or 0))
    steps = step + max(1, int(left / update))
    if step < plan.decay_from:
        return replace(plan, steps=max(steps, plan.decay_from + 1))
    return replace(plan, steps=steps, decay_from=step, done=plan.progress(step))


class Pace:
    """How long an update takes with all there is between, since the checkpoint before the last.

    closing: seconds that the end will take, for its validation, sample and checkpoint.
    """

    def __init__(self, closing: float, clock: Callable[[], float]) -> None:
        self.closing = closing
        self.clock = clock
        self._marks: deque[tuple[int, float]] = deque(maxlen=3)

    def fit(self, plan: Plan, settings: Settings, step: int, seconds: float) -> Plan:
        """The plan held against the clock, at a checkpoint after `step`, with `seconds` left of the minutes."""
        while self._marks and self._marks[-1][0] >= step:
            self._marks.pop()  # gone back to before it
        self._marks.append((step, self.clock()))
        (first, began), (_, now) = self._marks[0], self._marks[-1]
        if first == step:
            return plan
        return adjusted(plan, settings, step, seconds - self.closing, (now - began) / (step - first))


class Stretch:
    """The timed stretch at the start of a budget in minutes."""

    def __init__(self, minutes: float, elapsed: float, clock: Callable[[], float]) -> None:
        """elapsed: seconds of the minutes that are gone already."""
        self.clock = clock
        self.limit = min(TIMED_SECONDS, TIMED_SHARE * max(0.0, 60 * minutes - elapsed))
        self.updates = 0
        self.units = 0.0
        self.seconds = 0.0
        self._entered = clock()
        self._began = self._entered

    def update(self, units: float) -> None:
        """An update of so many units has just been done."""
        self.updates += 1
        if self.updates <= UNTIMED:
            self._began = self.clock()
        else:
            self.units += units
            self.seconds = self.clock() - self._began

    def over(self) -> bool:
        """Long enough to go by: the seconds are up, with one timed update at least, or with as many as it takes."""
        timed = self.updates - UNTIMED
        late = self.clock() - self._entered >= 4 * self.limit
        return timed > 0 and (late or (timed >= TIMED and self.seconds >= self.limit))

    def seconds_per_update(self) -> float:
        return self.seconds / (self.updates - UNTIMED)

    def units_per_second(self) -> float:
        return self.units / self.seconds
