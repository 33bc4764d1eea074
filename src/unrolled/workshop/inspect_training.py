"""`inspect` of what training has to cope with: gradients, Jacobians and memory, of a run or of a cell by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from unrolled.errors import OptionError, RunError, ShapeError, did_you_mean
from unrolled.figures import Figure
from unrolled.workshop import folder as folders
from unrolled.workshop.looking import Files, Reader, TextLook, at_least_one, show
from unrolled.workshop.messages import Message

if TYPE_CHECKING:
    from unrolled.cells.cell import Cell
    from unrolled.workshop.run import Run

#: A cell by itself reads random input of so many features, and has so many units where none are asked for.
FEATURES, UNITS = 8, 64
#: Pictures that a residual network by itself reads, their rows and columns, its classes and its first stage's channels.
PICTURES, SIDE, CLASSES, WIDTH = 8, 8, 10, 4
#: Blocks a stage of the network that is taken apart by paths, and paths of each length.
STAGE, PATHS = 5, 16
Figures = tuple[Figure, ...]


@dataclass(frozen=True)
class CellLook(TextLook):
    """A look at a trained model over a text, or at a cell as it starts, over random input."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|CELL")] = ""
    """A run's name or folder, or `tiny`; or a cell by name, as it starts. Empty: the newest run, else tiny."""
    text: Annotated[str, tyro.conf.arg(metavar="FILE|-|WORDS")] = ""
    """For a run: a file, - for standard input, or words. Empty: from what the run held out."""
    length: int = 100
    """Characters of the text, at most; for a cell, steps of random input."""
    hidden: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """For a cell: its units; 64 where none are given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden is not None:
            at_least_one(self, "hidden")


@dataclass(frozen=True)
class GradientFlowRequest(CellLook):
    """Show how far back a gradient reaches, with the bound where there is one."""

    beside: Annotated[tuple[str, ...], tyro.conf.arg(metavar="[CELL [CELL ...]]")] = ()
    """For a cell: others, for comparison."""
    singular_value: Annotated[float | None, tyro.conf.arg(metavar="X")] = None
    """For cells: the largest singular value of each recurrent W, where there is one; None leaves them as they start."""


@dataclass(frozen=True)
class JacobianRequest(CellLook):
    """Show the spectrum of a step's Jacobian, of many steps', and the Lyapunov exponents."""

    length: int = 30
    """Characters of the text, at most; for a cell, steps of random input."""


@dataclass(frozen=True)
class MemoryRequest(Files):
    """Show how the bytes held for the backward pass grow with the length of a sequence."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CELL")] = "lstm"
    """A cell by name, or your own as package.module:Class."""
    hidden: int = UNITS
    """Its units."""

    def __post_init__(self) -> None:
        at_least_one(self, "hidden")


@dataclass(frozen=True)
class DepthRequest(Files):
    """Show the gradient in deep networks with shortcuts and without, and by which paths it comes, before training.

    Convolutional networks of three stages, as in residual-depth, look at random pictures.
    """

    blocks: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N [N ...]")] = (1, 2, 3, 5, 9, 18)
    """Depths to compare: blocks of two layers in each stage, 6 · N + 2 layers in all."""

    def __post_init__(self) -> None:
        if not self.blocks or min(self.blocks) < 1:
            raise OptionError(
                f"--blocks {' '.join(map(str, self.blocks))}: expected one number or more, each 1 or more"
            )


@dataclass(frozen=True)
class CliffRequest(Files):
    """Show the loss of a network of one unit over its two weights, and two ways down: one clipped, one not."""

    start: Annotated[tuple[float, float], tyro.conf.arg(metavar="W B")] = (5.5, -2.2)
    """The weights that both ways start from."""
    rate: float = 0.1
    """The learning rate of both."""
    norm: float = 1.0
    """What one of them clips its gradients to."""
    updates: int = 400
    """Updates of each."""


def inspect_training(request: CellLook) -> Iterator[Message]:
    """The figures that the request asks for, one after the other, and a line for each file that was written."""
    subject = find_subject(request)
    if isinstance(subject, type):
        with _vectors_alone(request.run):
            figures = _OF_CELL[type(request)](subject, request)
    else:
        figures = OF_RUN[type(request)](Reader(subject), request)
    yield from show(figures, request)


def inspect_memory(request: MemoryRequest) -> Iterator[Message]:
    """Bytes against length, for whole sequences and for windows."""
    from unrolled.cells import registry
    from unrolled.diagnostics import memory

    with _vectors_alone(request.name):
        found = memory.cell_memory(_made(registry.find(request.name), request.hidden))
    title = f"Bytes that {request.name} holds for the backward pass"
    yield from show([memory.memory_curves(found, title)], request)


def inspect_depth(request: DepthRequest) -> Iterator[Message]:
    """The gradient at the first layer against depth, of both kinds; then the residual network's paths."""
    import torch

    from unrolled.diagnostics import lesion
    from unrolled.models.residual import ResidualNetwork

    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(PICTURES, SIDE, SIDE, 3, generator=generator)
    targets = torch.randint(CLASSES, (PICTURES,), generator=generator)

    def make(blocks: int, residual: bool) -> ResidualNetwork:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return ResidualNetwork(CLASSES, blocks, WIDTH, residual)

    makers = {"residual": partial(make, residual=True), "plain": partial(make, residual=False)}
    network = make(STAGE, residual=True)
    lesion.normalise_by(network, pictures)
    paths = lesion.gradient_by_path_length(network, pictures, targets, PATHS)
    title = f"The {2 ** len(network.blocks):,} paths of a residual network, and where its gradient comes from"
    figures = lesion.gradient_against_depth(makers, request.blocks, pictures, targets), lesion.path_curves(paths, title)
    yield from show(figures, request)


def inspect_cliff(request: CliffRequest) -> Iterator[Message]:
    """The surface with both ways on it, and the loss along them."""
    from unrolled.diagnostics.clipping_cliff import clipping_cliff

    cliff = clipping_cliff(request.start, request.rate, request.norm, request.updates)
    yield from show([cliff.surface, cliff.losses], request)


def find_subject(request: CellLook) -> Run | type[Cell]:
    """The run or the cell of that name; a run goes first. OptionError where there is neither, or more was given."""
    from unrolled.cells import registry
    from unrolled.workshop.run import Run

    word, runs = request.run, folders.runs_folder(request.runs)
    try:
        folder = folders.open_run(word, runs, bundled=True)
    except RunError as error:
        if os.path.exists(word):
            raise
        try:
            cell = registry.find(word)
        except OptionError:
            if ":" in word:
                raise
            known = [*(one.name for one in folders.all_runs(runs)), *registry.built_in()]
            raise OptionError(
                f"{word}: no run and no cell is called that.{did_you_mean(word, known)} `unrolled runs` lists the runs"
            ) from error
        if request.text:
            raise OptionError(f"--text is for a run: the cell {word} by itself reads random input") from error
        return cell
    run = Run(folder, request.cell)
    for name in ("hidden", "beside", "singular_value"):
        if getattr(request, name, None):
            raise OptionError(f"--{name.replace('_', '-')} is for cells; {run.name} is a run, and is what it is")
    return run


@contextmanager
def _vectors_alone(name: str) -> Iterator[None]:
    """A cell that cannot read what a cell is given here is its user's choice, and not a fault."""
    try:
        yield
    except ShapeError as error:
        raise OptionError(f"{name} by itself reads random vectors here, (T, B, {FEATURES}): {error}") from error


def _made(cell: type[Cell], hidden: int) -> Cell:
    """The cell as it starts, the same every time, in float64."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return cell(FEATURES, hidden).double()


def _text_flow(reader: Reader, request: GradientFlowRequest) -> Figures:
    from unrolled.diagnostics import gradient_flow

    read = reader.read(reader.text(request.text, request.length))
    return (gradient_flow.text_flow(reader.model, read.symbols),)


def _cell_flows(cell: type[Cell], request: GradientFlowRequest) -> Figures:
    from unrolled.cells import registry
    from unrolled.diagnostics import gradient_flow

    cells = {name: registry.find(name) for name in (request.run, *request.beside)}
    found = gradient_flow.compare_cells(
        cells, FEATURES, request.hidden or UNITS, request.length, singular_value=request.singular_value
    )
    title = "How far back a gradient reaches"
    if request.singular_value is not None:
        title = f"{title}, the largest singular value of W being {request.singular_value:g}"
    return gradient_flow.gradient_flow(found, title), gradient_flow.about_bounds(found)


def _text_jacobians(reader: Reader, request: JacobianRequest) -> Figures:
    from unrolled.diagnostics import jacobian

    read = reader.read(reader.text(request.text, request.length))
    return _spectra(jacobian.model_jacobians(reader.model, read.symbols))


def _cell_jacobians(cell: type[Cell], request: JacobianRequest) -> Figures:
    import torch

    from unrolled.diagnostics import jacobian

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(request.length, 1, FEATURES, generator=generator, dtype=torch.float64)
    made = _made(cell, request.hidden or UNITS)
    C = made.condition_size
    condition = torch.randn(1, C, generator=generator, dtype=torch.float64) if C else None
    return _spectra(jacobian.cell_jacobians(made, x, condition=condition))


def _spectra(jacobians: Any) -> Figures:
    from unrolled.diagnostics import jacobian

    return (
        jacobian.eigenvalue_points(jacobians),
        jacobian.singular_value_curves(jacobians),
        jacobian.lyapunov_curve(jacobians),
    )


#: What there is of a run.
OF_RUN: dict[type, Callable[[Reader, Any], Figures]] = {
    GradientFlowRequest: _text_flow,
    JacobianRequest: _text_jacobians,
}
_OF_CELL: dict[type, Callable[[type[Cell], Any], Figures]] = {
    GradientFlowRequest: _cell_flows,
    JacobianRequest: _cell_jacobians,
}
