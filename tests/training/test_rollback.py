from __future__ import annotations

import math
import time

import pytest
import torch

from unrolled.batch import Batch, Ragged
from unrolled.training import metrics
from unrolled.training.metrics import CoreShare, Throughput
from unrolled.training.rollback import MOST_ROLLBACKS, Story, Trouble, Watch, unusable


def watch(losses: list[float]) -> Watch:
    watched = Watch()
    for loss in losses:
        watched.add(loss)
    return watched


def test_an_explosion_is_five_times_the_level_and_above_the_start() -> None:
    level = watch([4.0] * 3 + [1.0] * 200)
    assert level.smoothed == pytest.approx(1.0, abs=1e-3)
    assert level.trouble(4.9, 203) is None
    trouble = level.trouble(5.1, 203)
    assert trouble is not None
    assert trouble.reason == "the loss exploded at step 203: 5.1, after 1 on average"
    # A loss that has come down a thousandfold may jump: it is no worse than it was at the start.
    level = watch([4.0] * 3 + [0.004] * 300)
    assert level.trouble(3.9, 303) is None
    assert level.trouble(4.1, 303) is not None


def test_losses_below_zero_explode_too() -> None:
    """Densities have them: from −2, up to 6 is five times the level away from nothing."""
    level = watch([1.0] * 3 + [-2.0] * 300)
    assert level.trouble(5.9, 303) is None
    assert level.trouble(6.1, 303) is not None


def test_the_first_losses_cannot_explode_but_cannot_be_nan_either() -> None:
    assert watch([1.0] * 9).trouble(1e9, 9) is None
    assert watch([1.0] * 10).trouble(1e9, 10) is not None
    for value in (math.nan, math.inf, -math.inf):
        assert watch([]).trouble(value, 0) is not None


def test_the_story() -> None:
    story, trouble = Story(), Trouble("the loss was nan at step 3")
    assert not story.skips(trouble, 3)
    assert [story.go_back(trouble, number, targets=2) for number in (3, 4, 5)] == [1, 1, 0]
    assert story.rate_factor == 0.125
    assert story.skips(trouble, 4)
    assert story.skip(trouble, 4) == "the loss was nan at step 3, and batch 4 had failed before"
    assert story.skips(Trouble("a field holds NaN", data=True), 9)
    assert Story(**story.to_dict()) == story
    assert MOST_ROLLBACKS > 3


def test_fields_that_are_not_finite_are_named_with_rows_of_the_global_batch() -> None:
    x = torch.zeros(3, 4, 2)
    x[1, 2, 0] = math.inf
    fields = {"symbols": torch.zeros(3, 4, dtype=torch.int64), "x": x}
    trouble = unusable(Batch(fields, rows=(4, 8), origin="page 2"), 17)
    assert trouble == Trouble("field 'x' of batch 17 (page 2) holds an infinity in rows 6", data=True)
    x[0, 3, 1] = math.nan
    assert unusable(Batch(fields), 17) == Trouble("field 'x' of batch 17 holds NaN in rows 2, 3", data=True)


def test_past_a_length_anything_may_stand() -> None:
    values = torch.zeros(3, 2)
    values[2, 0] = math.nan
    assert unusable(Batch({"x": Ragged(values, torch.tensor([2, 3]))}), 0) is None
    assert unusable(Batch({"x": Ragged(values, torch.tensor([3, 3]))}), 0) is not None


def test_throughput_leaves_pauses_out_and_forgets() -> None:
    now = [0.0]
    speed = Throughput(window=5.0, clock=lambda: now[0])
    assert speed.per_second() == 0.0
    for _ in range(10):
        now[0] += 1.0
        speed.update(30)
        with speed.paused():
            now[0] += 100.0
    assert speed.per_second() == 30.0
    assert speed.seconds_per_update() == 1.0
    for _ in range(7):
        now[0] += 2.0
        speed.update(30)
    assert speed.per_second() == 15.0


@pytest.mark.parametrize(
    ("waits", "machine", "share"),
    [
        ([(100, 50), (400, 150)], [(10, 0), (20, 0)], 0.75),
        ([(100, 50), (400, 150)], [(10, 0), (19, 1)], 0.675),
        ([(100, 50), (400, 50)], [(10, 0), (20, 0)], 1.0),
        ([(100, 50), (400, 50)], [None, None], 1.0),
    ],
)
def test_core_share_by_hand(monkeypatch: pytest.MonkeyPatch, waits: list, machine: list, share: float) -> None:
    monkeypatch.setattr(metrics, "_waits", iter(waits).__next__)
    monkeypatch.setattr(metrics, "_machine", iter(machine).__next__)
    assert CoreShare().share() == pytest.approx(share)


def test_core_share_without_a_kernel_that_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_waits", lambda: None)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    cores = CoreShare()
    time.sleep(0.2)
    assert cores.share() < 0.5
