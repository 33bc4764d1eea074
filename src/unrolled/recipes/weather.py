"""`weather`: whether it rains tomorrow, said each day of what was measured up to that day. In step.

Every column of numbers is read. What is asked is whether one of them, at the next step, is above a bound: rain, of
Seattle's weather; anything, of a table of one's own. Without a memory (`--cell memoryless`) today is all there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from unrolled.errors import DataError
from unrolled.recipes import answers, forecasting
from unrolled.recipes.recipe import CellName, Data, Recipe, Sizes, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    import numpy as np

    from unrolled.batch import Batch
    from unrolled.data.examples import Fields
    from unrolled.models.tagger import Tagger

DEFAULT = "seattle-weather"


@dataclass(frozen=True)
class WeatherOptions(forecasting.SeriesOptions):
    """Options of weather. The data is a table with a column of times: CSV, TSV or Parquet."""

    target: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = "precipitation"
    """The column that is asked about."""
    above: float = 0.0
    """What is asked: is it above this at the next step?"""
    window: int = 60
    """Steps of a training sequence."""
    period: float = 365.25
    """Steps after which the series repeats itself more or less; 0 for none."""
    split: tuple[float, float, float] = (0.5, 0.25, 0.25)
    """Shares of the series to train on, to validate on and to test on, in the order of time."""
    cell: CellName = "gru"
    sizes: Sizes = (16,)
    dropout: float = 0.3
    batch_size: int = 32
    rate: float = 2e-3
    weight_decay: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.window >= 2, "window", self.window, "2 or more")
        require(self.period == 0 or self.period >= 2, "period", self.period, "0 (none) or 2 or more")
        forecasting.check_split(self.split)


@dataclass(frozen=True)
class HeldOutDays:
    """A part of a series as one sequence, from the series' beginning on; `asked` counts from where the part begins.

    batch: with the fields `inputs` and `targets`, NOT_ASKED before the part. today: (T,) whether the answer is yes at
    each step itself. share: how often it is yes in the training part.
    """

    batch: Batch
    today: np.ndarray
    share: float


def data(options: WeatherOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    import numpy as np
    import torch

    from unrolled.batch import NOT_ASKED, Batch
    from unrolled.data.examples import Shuffled
    from unrolled.data.series import guess_time, read_series
    from unrolled.data.windows import cut, phases

    table = forecasting.read_one(options.data, DEFAULT, folder, options)
    time = options.time or guess_time(table)
    series = read_series(table, time)
    if options.target not in series.names:
        raise DataError(
            f"--target {options.target}: {table.name} has no column of numbers called so; it has "
            f"{', '.join(series.names)}"
        )
    column = series.names.index(options.target)
    parts = cut(len(series.values), options.split)
    train = parts["train"]
    if min(map(len, parts.values())) < 2 or len(train) <= options.window:
        raise DataError(
            f"{table.name}: {len(series.values):,} steps are too few for windows of {options.window} and three parts; "
            "give a longer series, or less --window"
        )
    # From the training part alone: no later value touches what the model sees.
    learnt = series.values[train.start : train.stop]
    mean, spread = learnt.mean(0), learnt.std(0)
    scaled = (series.values - mean) / np.where(spread > 0, spread, 1)
    yes = series.values[:, column] > options.above
    # sinh⁻¹: a cloudburst is far from the mean of all days, and yet only a rainy day.
    features = [np.arcsinh(scaled), yes[:, None], phases(np.arange(len(scaled)), options.period)]
    inputs = np.concatenate(features, 1).astype(np.float32)
    # What is asked at a step lies at the next; where that was not observed, nothing is asked.
    targets = np.full(len(yes), NOT_ASKED)
    targets[:-1] = np.where(series.observed[1:, column], yes[1:], NOT_ASKED)

    def gather(numbers: np.ndarray) -> Fields:
        places = numbers + np.arange(options.window)[:, None]
        return {"inputs": torch.from_numpy(inputs[places]), "targets": torch.from_numpy(targets[places])}

    def part(places: range) -> HeldOutDays:
        # The first thing asked lies in the part, so it is asked at the step before.
        asked = targets[: places.stop - 1].copy()
        asked[: places.start - 1] = NOT_ASKED
        own = {
            "inputs": torch.from_numpy(inputs[: places.stop - 1])[:, None],
            "targets": torch.from_numpy(asked)[:, None],
        }
        return HeldOutDays(Batch(own), yes[: places.stop - 1], float(yes[train.start : train.stop].mean()))

    # The last target of a window lies one step behind it: all of them are in the training part.
    count = len(train) - options.window
    return Data(
        train=Shuffled(gather, count, min(options.batch_size, count), options.seed, "answers"),
        held_out={"valid": part(parts["valid"]), "test": part(parts["test"])},
        assets={"inputs": inputs.shape[1], "names": list(series.names)},
        summary=(
            f"{series.summary}; {len(train):,} to train on, {len(parts['valid']):,} to validate, "
            f"{len(parts['test']):,} to test; {options.target} is above {options.above:g} in "
            f"{yes[: len(train)].mean():.0%} of the former"
        ),
        digest=series.digest,
    )


def model(options: WeatherOptions, assets: Mapping[str, Any]) -> Tagger:
    from unrolled.cells import registry
    from unrolled.models.tagger import Tagger

    return Tagger(
        registry.find(options.cell),
        assets["inputs"],
        options.sizes,
        2,
        dropout=options.dropout,
        kernel=options.kernel,
    )


def metric(model: Tagger, part: HeldOutDays) -> dict[str, float]:
    """Nats an answer, how many are right, and the Brier score; beside them who says that tomorrow is as today, and who
    says how often it is so in training."""
    import numpy as np

    (one,) = answers.measured(model, [part.batch])
    targets = one.batch.tensor("targets")[:, 0].cpu().numpy()
    asked = targets >= 0
    p = one.answer[:, 0].softmax(-1)[:, 1].double().cpu().numpy()[asked]
    came, today = targets[asked] == 1, part.today[asked]
    often = np.clip(part.share, 1e-6, 1 - 1e-6)
    return {
        "loss": one.total / one.count,
        "accuracy": 100 * float(np.mean((p > 0.5) == came)),
        "Brier score": float(np.mean((p - came) ** 2)),
        "loss, how often in training": float(-np.mean(np.log(np.where(came, often, 1 - often)))),
        "accuracy, always the more frequent": 100 * float(np.mean(came == (part.share > 0.5))),
        "accuracy, as today": 100 * float(np.mean(came == today)),
        "Brier score, how often in training": float(np.mean((part.share - came) ** 2)),
    }


def settings(options: WeatherOptions) -> Settings:
    return answers.settings(options, Budget(steps=300))


RECIPE = Recipe(
    summary="Whether it rains tomorrow in Seattle, said each day in step",
    source="the lecture: in step; daily weather of Seattle, 2012 to 2015",
    Options=WeatherOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    unit="%",
    units={
        "loss": "nats/answer",
        "loss, how often in training": "nats/answer",
        "Brier score": "squared probability",
        "Brier score, how often in training": "squared probability",
    },
)
