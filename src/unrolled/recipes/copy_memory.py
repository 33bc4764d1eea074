"""`copy-memory`: ten symbols, to be said again after a long silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.recipes import answers
from unrolled.recipes.recipe import CellName, Data, Recipe, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    from unrolled.batch import Batch
    from unrolled.models.tagger import Tagger

#: Sequences that are held out.
VALIDATED = 500
TESTED = 2000


@dataclass(frozen=True)
class CopyMemoryOptions(answers.AnswerOptions):
    """Options of copy-memory. How the defaults were found is in docs/long-memory.md."""

    cell: CellName = "exp-rnn"
    delay: int = 200
    """T, the steps from the last symbol to where it is asked for; a sequence has T + 20."""
    batch_size: int = 32
    rate: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        answers.refuse_data(self, "copy-memory")
        require(self.delay >= 1, "delay", self.delay, "1 or more")


def data(options: CopyMemoryOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    from unrolled.data.examples import Drawn, held_out
    from unrolled.data.long_memory import RECALLED, copying, loss_without_memory

    draw = copying(options.delay)
    line = loss_without_memory(options.delay)
    return Data(
        train=Drawn(draw, options.batch_size, options.seed, "steps"),
        held_out={
            "valid": held_out(draw, VALIDATED, answers.VALID),
            "test": held_out(draw, TESTED, answers.TEST),
        },
        assets={"delay": options.delay},
        summary=(
            f"{RECALLED} symbols, to be said again after {options.delay:,} steps, drawn anew for each batch; "
            f"who remembers nothing loses {line:.4f}"
        ),
        digest=answers.digest("copy-memory", options.delay),
    )


def model(options: CopyMemoryOptions, assets: Mapping[str, Any]) -> Tagger:
    from unrolled.cells import registry
    from unrolled.data.long_memory import KINDS, SYMBOLS
    from unrolled.models.tagger import Tagger

    return Tagger(
        registry.find(options.cell), SYMBOLS, options.sizes, KINDS + 1, dropout=options.dropout, kernel=options.kernel
    )


def metric(model: Tagger, part: list[Batch]) -> dict[str, float]:
    """Nats a step over all T + 20, that of who remembers nothing, and the share of the ten symbols that are right."""
    import torch

    from unrolled.data.long_memory import RECALLED, loss_without_memory

    total, count, share = 0.0, 0, answers.Share()
    for one in answers.measured(model, part):
        total, count = total + one.total, count + one.count
        right = (one.answer.argmax(-1) == one.batch.tensor("targets"))[-RECALLED:]
        share.add(right, torch.ones_like(right))
    delay = part[0].tensor("inputs").shape[0] - 2 * RECALLED
    return {"loss": total / count, "loss without memory": loss_without_memory(delay), "recalled": share.percent()}


def settings(options: CopyMemoryOptions) -> Settings:
    return answers.settings(options, Budget(minutes=10))


def sample(model: Tagger, assets: Mapping[str, Any], seed: int) -> str:
    """Three rows of ten symbols, and what the model says after the silence."""
    from unrolled.data.examples import held_out
    from unrolled.data.long_memory import BLANK, RECALLED, copying

    lines = []
    for one in answers.measured(model, held_out(copying(assets["delay"]), 3, answers.SHOWN)):
        shown = one.batch.tensor("inputs")[:RECALLED].T.tolist()
        said = one.answer.argmax(-1)[-RECALLED:].T.tolist()
        for before, after in zip(shown, said, strict=True):
            answered = "".join("_" if symbol == BLANK else str(symbol) for symbol in after)
            lines.append(f"{''.join(map(str, before))}   {assets['delay']} steps later: {answered}")
    return "\n".join(lines)


RECIPE = Recipe(
    summary="Ten symbols, said again after a long silence",
    source="Arjovsky et al. 2016, Unitary Evolution Recurrent Neural Networks, arXiv:1511.06464",
    Options=CopyMemoryOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    target={"loss": "< 0.01"},
    unit="nats/step",
    units={"recalled": "%"},
)
