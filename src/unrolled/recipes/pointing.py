"""What the recipes share that answer questions about points in a plane: options, data, model, measuring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import tyro

from unrolled.recipes import answers
from unrolled.recipes.recipe import Data, Sizes, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    import numpy as np

    from unrolled.batch import Batch
    from unrolled.data.pointing import Solve
    from unrolled.models.pointer_network import PointerNetwork

#: Points of the sets that the test part has, as many sets of each size.
SIZES = (5, 10, 20, 30, 50)
#: Points of the sets that a sample shows, as far as the model can answer for them.
SHOWN = (5, 10)
#: Sets of each size that validate.
VALIDATED = 200


@dataclass(frozen=True)
class PointingOptions(answers.AnswerOptions):
    """Options of all of them."""

    points: Annotated[tuple[int, int], tyro.conf.arg(metavar="FEWEST MOST")] = (5, 10)
    """Points of a set in training; all sets of a batch have as many. The test part has 5, 10, 20, 30 and 50."""
    order: Literal["drawn", "left-to-right"] = "drawn"
    """In which the points stand: as they are drawn, or by x, which says something of every answer beforehand."""
    directions: Literal["both", "forward"] = "both"
    """In which the encoder reads the points."""
    held_out: int = 500
    """Sets of each number of points that are held out to test."""
    output: Literal["pointers", "vocabulary"] = "pointers"
    """vocabulary: an LSTM without pointers, to compare with: a softmax over numbers up to --points MOST."""
    sizes: Sizes = (64,)
    """Hidden units of each layer of the encoder, and of the decoder; the last is also the pointer's."""
    dropout: float = 0.0
    """Between layers, and on what the decoder gives."""
    batch_size: int = 32
    rate: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        fewest, most = self.points
        require(4 <= fewest <= most <= 100, "points", f"{fewest} {most}", "two numbers from 4 to 100, the lower first")
        require(self.held_out >= 1, "held_out", self.held_out, "1 or more")


@dataclass(frozen=True)
class HeldOutSets:
    """`count` sets of points of each size, for one part: drawn when they are asked for, always the same.

    They are drawn for another purpose than training is, whatever the seed.
    """

    solve: Solve
    part: int
    sizes: tuple[int, ...]
    count: int
    in_order: bool

    def batches(self, size: int) -> list[Batch]:
        """The sets of `size` points."""
        from unrolled.data.examples import held_out
        from unrolled.data.pointing import drawing

        # A world of draws for each part and size.
        return held_out(drawing(self.solve, size, size, in_order=self.in_order), self.count, 1000 * self.part + size)


def data(options: PointingOptions, recipe: str, solve: Solve, symmetric: bool = False) -> Data:
    """Sets of points drawn anew for each batch, and those that are held out."""
    from unrolled.data.examples import Drawn
    from unrolled.data.pointing import drawing

    answers.refuse_data(options, recipe)
    fewest, most = options.points
    sizes = SIZES if options.output == "pointers" else tuple(size for size in SIZES if size <= most)
    in_order = options.order == "left-to-right"
    draw = drawing(solve, fewest, most, symmetric, in_order)
    return Data(
        train=Drawn(draw, options.batch_size, options.seed, "pointers"),
        held_out={
            "valid": HeldOutSets(solve, answers.VALID, tuple(sorted({fewest, most})), VALIDATED, in_order),
            "test": HeldOutSets(solve, answers.TEST, sizes, options.held_out, in_order),
        },
        assets={"in_order": in_order},
        summary=f"sets of {fewest} to {most} points in the unit square, drawn anew for each batch",
        digest=answers.digest(recipe, options.points, options.order),
    )


def model(options: PointingOptions, answer: str) -> PointerNetwork:
    """A pointer network of these options; `answer` says what may be pointed at (models/possible.py)."""
    from unrolled.cells import registry
    from unrolled.models.pointer_network import PointerNetwork

    return PointerNetwork(
        registry.find(options.cell),
        options.sizes,
        answer,
        two_directions=options.directions == "both",
        dropout=options.dropout,
        vocabulary=options.points[1] if options.output == "vocabulary" else 0,
        kernel=options.kernel,
    )


def settings(options: PointingOptions, steps: int) -> Settings:
    """Settings of the options; so many steps where no budget is given."""
    return answers.settings(options, Budget(steps=steps))


class Answered(NamedTuple):
    """A set of points (N, 2), what the model answered and what is right: numbers from 0, without the end."""

    points: np.ndarray
    said: np.ndarray
    right: np.ndarray


class Measured(NamedTuple):
    """Held-out sets of one size. loss: nats a pointer. answers: one a set."""

    loss: float
    answers: list[Answered]


def measured(model: PointerNetwork, batches: list[Batch]) -> Measured:
    """What the model says of these sets, on its device and in its dtype."""
    import torch

    from unrolled.layers.pointer import END
    from unrolled.training.window import undisturbed

    weight = next(model.parameters())

    def move(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(weight.device, weight.dtype if tensor.is_floating_point() else tensor.dtype)

    total, count = 0.0, 0.0
    found = []
    with undisturbed(model):
        for batch in batches:
            moved = batch.map(move)
            loss = model.loss(moved, ())
            total, count = total + float(loss.total), count + float(loss.count)
            said, targets = model.predict(moved).cpu(), batch.ragged("targets")
            for row, points in enumerate(batch.tensor("points").transpose(0, 1).double().numpy()):
                own, right = said[:, row], targets.values[: targets.lengths[row] - 1, row]
                found.append(Answered(points, own[own != END].numpy() - 1, right.numpy() - 1))
    return Measured(total / count, found)


def figures(
    model: PointerNetwork, part: HeldOutSets, judge: Callable[[list[Answered]], dict[str, float]]
) -> dict[str, float]:
    """Nats a pointer over all sizes; then what `judge` finds of each size, with the size in its name."""
    losses, found = [], {}
    for size in part.sizes:
        loss, answers_ = measured(model, part.batches(size))
        losses.append(loss)
        found |= {f"{name}, {size} points": value for name, value in judge(answers_).items()}
    return {"loss": sum(losses) / len(losses), **found}


def percent(shares: list[float] | list[bool]) -> float:
    """The mean of shares, in per cent; 0 of none."""
    return 100 * sum(shares) / max(1, len(shares))


def shown(model: PointerNetwork, solve: Solve, assets: Mapping[str, Any], seed: int) -> str:
    """Five sets of points: what the model says, and where it is wrong what is right."""
    import numpy as np

    from unrolled.batch import Batch
    from unrolled.data.pointing import drawing
    from unrolled.data.randomness import Purpose, draws

    most = min(model.vocabulary or max(SHOWN), max(SHOWN))
    draw = drawing(solve, min(*SHOWN, most), most, in_order=assets["in_order"])
    generator = draws(seed, Purpose.HELD_OUT, answers.SHOWN)
    lines = []
    for one in measured(model, [Batch(draw(generator, 1)) for _ in range(5)]).answers:
        wrong = "" if np.array_equal(one.said, one.right) else f"   right is {_numbers(one.right)}"
        lines.append(f"{len(one.points):2d} points   the model says {_numbers(one.said)}{wrong}")
    return "\n".join(lines)


def _numbers(answer: np.ndarray) -> str:
    return " ".join(str(number + 1) for number in answer.tolist())
