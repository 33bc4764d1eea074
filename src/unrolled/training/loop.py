"""The training loop. It yields typed events and prints nothing.

Among several processes (see processes.py) every one runs this loop and yields events; those of the first count, the
others' are to be ignored. Validation, samples and checkpoints are the first's alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack

import torch

from unrolled import states
from unrolled.batch import Source
from unrolled.layers.dropout import rows_of
from unrolled.models.model import Model
from unrolled.training import gradients, optimisers, precision, processes, rollback, schedule, window
from unrolled.training.checkpoint import Checkpoints
from unrolled.training.events import (
    Event,
    Finished,
    Interrupted,
    Planned,
    Resumed,
    RolledBack,
    Sampled,
    Saved,
    Skipped,
    Updated,
    Validated,
)
from unrolled.training.keeper import Keeper
from unrolled.training.metrics import CoreShare, Throughput
from unrolled.training.processes import Team
from unrolled.training.rollback import Trouble
from unrolled.training.schedule import Plan
from unrolled.training.settings import Settings
from unrolled.training.snapshot import Progress

Validate = Callable[[Model], dict[str, float]]
Sample = Callable[[Model, int], str]


def train(
    model: Model,
    source: Source,
    settings: Settings,
    *,
    checkpoints: Checkpoints,
    validate: Validate | None,
    sample: Sample | None,
    stop: Callable[[], bool],
    started: float | None = None,
    resume: bool = False,
    team: Team | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Event]:
    """Train `model` on `source`, in place.

    validate(model) → held-out figures; the first decides which checkpoint is best, and lower is better in it.
    sample(model, step) → a text. Both see the model in evaluation mode, without gradients, in the first process only.
    stop: asked once an update; true saves a checkpoint and ends with Interrupted.
    clock: in seconds; a budget's minutes, and rates, are counted by it.
    started: when the process started, by that clock: the minutes count from there.
    resume: go on from the latest checkpoint. Where a killed training had not got as far as its first, it starts anew.
    team: the processes that the caller has joined; None joins those that `torchrun` started, if it did.

    Raises OptionError for a budget or batch that cannot be, RunError for a folder that is taken or cannot be written,
    CheckpointError for one that cannot be read, TrainingError when every way back has been tried.
    """
    started = clock() if started is None else started
    schedule.check(settings.budget)
    precision.convert(model, settings)
    with ExitStack() as until_done:
        if team is None:
            team = until_done.enter_context(processes.joined(next(model.parameters()).device))
        until_done.enter_context(precision.flushed_denormals())
        with team.together():
            if team.first:
                until_done.enter_context(checkpoints.held())
        work = _Training(model, source, settings, team, checkpoints, validate, sample, stop, started, clock)
        yield from work.run(resume)


class _Training:
    """One training: what stays the same, and, in `at`, where it stands."""

    def __init__(
        self,
        model: Model,
        source: Source,
        settings: Settings,
        team: Team,
        checkpoints: Checkpoints,
        validate: Validate | None,
        sample: Sample | None,
        stop: Callable[[], bool],
        started: float,
        clock: Callable[[], float],
    ) -> None:
        self.model = model.train()
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimiser = optimisers.build(model, settings)
        self.unit, self.batches_per_epoch = source.unit, source.batches_per_epoch
        self.source = source if team.count == 1 else source.for_rows(*team.rows(source.batch_size))
        self.settings, self.team = settings, team
        self.validate, self.sample, self.stop = validate, sample, stop
        self.started, self.clock = started, clock
        self.at = Progress()
        self.stopping = False
        self.pace: schedule.Pace | None = None  # of a plan in minutes that this process has made
        self.keeper = Keeper(model, self.optimiser, team, checkpoints, source.batch_size)
        self.count = 0.0  # units in the last update
        self.throughput, self.cores = Throughput(clock=clock), CoreShare()

    def run(self, resume: bool) -> Iterator[Event]:
        yield from self._begin(resume)
        stretch = schedule.Stretch(self.settings.budget.minutes or 0, self.clock() - self.started, self.clock)
        while self.at.plan is None or self.at.step < self.at.plan.steps:
            outcome = self._update()
            if isinstance(outcome, Trouble):
                yield self._recover(outcome)
            else:
                yield outcome
                with self.throughput.paused():
                    if self.at.plan is None:
                        yield from self._plan_if_timed(stretch)
                    else:
                        yield from self._pause(self.at.plan)
            if self.stopping and (self.at.plan is None or self.at.step < self.at.plan.steps):
                yield from self._interrupt()
                return
        minutes = (self.clock() - self.started) / 60
        yield Finished(self.at.step, minutes, self.cores.share(), self.keeper.digest)

    def _update(self) -> Updated | Trouble:
        """One update, or why it was not made."""
        at, settings, team = self.at, self.settings, self.team
        if at.number in at.story.skipped:
            return Trouble(f"batch {at.number} had been skipped before", data=True)

        # Window: the next batch, and the state that its rows go on from.
        batch = precision.place(self.source.batch(at.number), team.device, settings)
        state = window.carried(self.model, batch, at.state)
        at.state = None if batch.fresh is None else states.detach(state)
        trouble = rollback.unusable(batch, at.number)

        # Forward; what is random in it comes from the seed and the batch's number.
        torch.manual_seed(window.seed_of(settings.seed, at.number))
        loss = None
        if trouble is None:
            with rows_of(batch.rows), precision.forward(team.device, settings):
                loss = self.model.loss(batch, state)

        # Reduce the counts, and decide together.
        tally = [0.0, 0.0] if loss is None else [float(loss.total.detach()), float(loss.count)]
        total, count, rows, bad, stopping = team.sum([*tally, window.rows_in(batch), loss is None, self.stop()])
        self.stopping |= stopping > 0
        if loss is None or bad:
            return Trouble(team.share("" if trouble is None else trouble.reason), data=True)
        if count == 0:
            return Trouble(f"batch {at.number} has nothing that counts", data=True)
        divisor = count if settings.reduction == "mean" else rows
        if trouble := at.watch.trouble(total / divisor, at.step):
            return trouble

        # Backward, reduce, clip, step.
        (loss.total / divisor).backward()
        team.sum_gradients(self.parameters)
        norm = gradients.clip(self.parameters, settings.clip_norm, settings.clip_value)
        if not math.isfinite(norm):
            return Trouble(f"the gradient's norm was {norm} at step {at.step}")
        rate = at.story.rate_factor * schedule.learning_rate(at.step, settings, at.plan)
        self.optimiser.step(rate / settings.rate)

        # Detach: the one way in which a state comes back.
        at.state = None if batch.fresh is None else states.detach(loss.state)
        at.watch.add(total / divisor)
        at.story.in_a_row = 0
        at.step, at.number = at.step + 1, at.number + 1
        self.throughput.update(count)
        self.count = count
        epoch = at.number / self.batches_per_epoch
        return Updated(at.step, total / divisor, norm, rate, epoch, self.throughput.per_second(), self._seconds_left())

    def _begin(self, resume: bool) -> Iterator[Event]:
        """From the latest checkpoint, or from nothing, with a checkpoint of it: there is always one to go back to."""
        latest = self.keeper.latest(resume)
        if latest is not None:
            self.at = latest
            yield Resumed(self.at.step, self.keeper.file)
        else:
            self.at.plan = schedule.plan_steps(self.settings, self.batches_per_epoch)
            yield from self._save(regular=True)
        if self.at.plan is not None:
            yield self._planned(self.at.plan)

    def _pause(self, plan: Plan) -> Iterator[Event]:
        """Validate, sample and save, whatever is due after this update."""
        at, last = self.at, self.at.step == plan.steps
        validation, sample, regular = (
            last or at.step % every == 0 for every in (plan.validate_every, plan.sample_every, plan.checkpoint_every)
        )
        if not (validation or sample or regular):
            return
        if reason := self._unsound():
            # Else the next update will find it: when a person validates must not change where a training goes back to.
            if regular:
                yield self._go_back(Trouble(reason), at.number - 1)
            return
        best = (yield from self._validate()) if validation else False
        if sample:
            yield from self._sample()
        if regular and not last and self.pace is not None:
            at.plan = self._first_ones(self.pace.fit(plan, self.settings, at.step, self._seconds_by_the_clock()))
            if at.plan.steps != plan.steps:
                yield self._planned(at.plan)
        if regular or best:
            yield from self._save(regular, best)

    def _unsound(self) -> str:
        """Why nothing may be saved or shown as it stands; empty where all is finite."""
        found = rollback.unsound(self.model, self.optimiser.tensors(), self.at.state, self.at.step)
        return self.team.share("" if found is None else found.reason)

    def _validate(self) -> Generator[Event, None, bool]:
        best = False
        if self.validate is not None and self.team.first:
            with window.undisturbed(self.model):
                figures = self.validate(self.model)
            figure = next(iter(figures.values()))
            best = math.isfinite(figure) and (self.at.best is None or figure < self.at.best)
            self.at.best = figure if best else self.at.best
            yield Validated(self.at.step, figures, best)
        return self.team.sum([best])[0] > 0

    def _sample(self) -> Iterator[Event]:
        if self.sample is not None and self.team.first:
            with window.undisturbed(self.model):
                text = self.sample(self.model, self.at.step)
            yield Sampled(self.at.step, text)

    def _save(self, regular: bool, best: bool = False) -> Iterator[Event]:
        self.keeper.save(self.at, regular, best)
        if self.team.first:
            yield Saved(self.at.step, self.keeper.file, self.keeper.digest)

    def _recover(self, trouble: Trouble) -> Event:
        """Skip the batch at hand, or go back to before it."""
        at = self.at
        self.optimiser.forget_gradients()
        if not at.story.skips(trouble, at.number):
            return self._go_back(trouble, at.number)
        at.number += 1
        return Skipped(at.step, at.story.skip(trouble, at.number - 1))

    def _go_back(self, trouble: Trouble, number: int) -> RolledBack:
        before = self.at
        self.at = self.keeper.go_back(before, trouble, number)
        return RolledBack(before.step, self.at.step, trouble.reason, self.at.story.rate_factor)

    def _interrupt(self) -> Iterator[Event]:
        if self.keeper.step != self.at.step:
            yield from self._save(regular=False)
        yield Interrupted(self.at.step, self.keeper.file)

    def _plan_if_timed(self, stretch: schedule.Stretch) -> Iterator[Event]:
        """Once the stretch is over, make the plan and save it, so that it outlives a kill."""
        stretch.update(self.count)
        if not self.team.sum([self.team.first and stretch.over()])[0] or self._unsound():
            return
        times = [self.clock()]
        best = yield from self._validate()
        times.append(self.clock())
        yield from self._sample()
        times.append(self.clock())
        costs = schedule.Costs(
            stretch.seconds_per_update(), times[1] - times[0], times[2] - times[1], self.keeper.seconds
        )
        plan = schedule.plan_minutes(
            self.settings, self.at.step, self._seconds_left(), costs, stretch.units_per_second()
        )
        self.at.plan = self._first_ones(plan)
        self.pace = schedule.Pace(costs.validation + costs.sample + costs.checkpoint, self.clock)
        yield self._planned(self.at.plan)
        yield from self._save(regular=True, best=best)

    def _first_ones(self, plan: Plan) -> Plan:
        """Each process has timed its own: the first one's plan holds for all."""
        return Plan.from_numbers(self.team.sum([n if self.team.first else 0 for n in plan.numbers()]))

    def _planned(self, plan: Plan) -> Planned:
        epochs, count = plan.steps / self.batches_per_epoch, sum(p.numel() for p in self.parameters)
        return Planned(self.at.step, plan.steps, epochs, self.unit, plan.per_second, count, self.team.count)

    def _seconds_left(self) -> float:
        """By the plan, at the present speed; by the clock, before there is a plan."""
        if self.at.plan is not None:
            return (self.at.plan.steps - self.at.step) * self.throughput.seconds_per_update()
        return self._seconds_by_the_clock()

    def _seconds_by_the_clock(self) -> float:
        return max(0.0, 60 * (self.settings.budget.minutes or 0) - (self.clock() - self.started))
