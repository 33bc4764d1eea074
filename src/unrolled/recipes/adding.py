"""`adding`: the sum of two marked numbers of a long sequence, which is known at its end only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unrolled.recipes import answers
from unrolled.recipes.recipe import CellName, Data, Recipe, Sizes, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    from unrolled.batch import Batch
    from unrolled.models.sequence_regressor import SequenceRegressor

#: Sequences that are held out.
VALIDATED = 500
TESTED = 2000


@dataclass(frozen=True)
class AddingOptions(answers.AnswerOptions):
    """Options of adding. How the defaults were found is in docs/long-memory.md."""

    cell: CellName = "gru"
    length: int = 200
    """T, the steps of a sequence."""
    start: Literal["plain", "chrono"] = "plain"
    """chrono: gates keep over 2 to T steps from the start on (Tallec & Ollivier 2018), for LSTM and GRU."""
    sizes: Sizes = (64,)
    batch_size: int = 32
    rate: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        answers.refuse_data(self, "adding")
        require(self.length >= 2, "length", self.length, "2 or more: one number in each half is marked")


def data(options: AddingOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    from unrolled.data.examples import Drawn, held_out
    from unrolled.data.long_memory import adding

    draw = adding(options.length)
    return Data(
        train=Drawn(draw, options.batch_size, options.seed, "sequences"),
        held_out={
            "valid": held_out(draw, VALIDATED, answers.VALID),
            "test": held_out(draw, TESTED, answers.TEST),
        },
        assets={"length": options.length},
        summary=f"sequences of {options.length:,} numbers, two of them marked, drawn anew for each batch",
        digest=answers.digest("adding", options.length),
    )


def model(options: AddingOptions, assets: Mapping[str, Any]) -> SequenceRegressor:
    from unrolled.cells import registry
    from unrolled.cells.time_scales import spread_time_scales_
    from unrolled.models.sequence_regressor import SequenceRegressor

    made = SequenceRegressor(
        registry.find(options.cell), 2, options.sizes, 1, dropout=options.dropout, kernel=options.kernel
    )
    if options.start == "chrono":
        for layer in made.recurrent.cells():
            for cell in layer:
                spread_time_scales_(cell, options.length)
    return made


def metric(model: SequenceRegressor, part: list[Batch]) -> dict[str, float]:
    """The mean squared error, and that of who says 1 to everything: about 1/6."""
    total, guess, count = 0.0, 0.0, 0
    for one in answers.measured(model, part):
        total, count = total + one.total, count + one.count
        guess += float((one.batch.tensor("targets") - 1).square().sum())
    return {"loss": total / count, "loss of a constant guess": guess / count}


def settings(options: AddingOptions) -> Settings:
    return answers.settings(options, Budget(minutes=5))


def sample(model: SequenceRegressor, assets: Mapping[str, Any], seed: int) -> str:
    """Five sums, and what the model says."""
    from unrolled.data.examples import held_out
    from unrolled.data.long_memory import adding

    lines = []
    for one in answers.measured(model, held_out(adding(assets["length"]), 5, answers.SHOWN)):
        values, marks = one.batch.tensor("inputs").unbind(-1)
        for row, said in enumerate(one.answer[:, 0].tolist()):
            first, second = values[:, row][marks[:, row] == 1].tolist()
            lines.append(f"{first:.3f} + {second:.3f} = {first + second:.3f}   the model says {said:.3f}")
    return "\n".join(lines)


RECIPE = Recipe(
    summary="The sum of two marked numbers of a long sequence",
    source="Hochreiter & Schmidhuber 1997, in the form of Arjovsky et al. 2016, arXiv:1511.06464",
    Options=AddingOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    target={"loss": "< 0.01"},
    unit="squared error",
    peers=(
        ("RNN at T = 600", 0.177, "Bai et al. 2018, arXiv:1803.01271"),
        ("LSTM at T = 600", 0.164, "Bai et al. 2018, arXiv:1803.01271"),
        ("GRU at T = 600", 5.3e-5, "Bai et al. 2018, arXiv:1803.01271"),
    ),
)
