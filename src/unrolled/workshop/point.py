"""`point`: a hull, a tour or triangles of one's own points, by a pointer network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from unrolled.errors import DataError, OptionError
from unrolled.figures import Points, Series
from unrolled.workshop import folder as folders
from unrolled.workshop.looking import Files, given_text, means_words, show
from unrolled.workshop.messages import Message, Pointed

if TYPE_CHECKING:
    import numpy as np

    from unrolled.workshop.run import Run

#: Characters that are read.
LONGEST = 100_000
#: Points without which there is no answer.
FEWEST = 3
#: Corners of what is closed and begins anew within an answer; 0: the whole answer is one line.
_CORNERS = {"convex-hull": 0, "salesman": 0, "delaunay": 3}
_SHOWN = {"convex-hull": "convex hull", "salesman": "tour", "delaunay": "triangles"}


@dataclass(frozen=True)
class PointRequest(Files):
    """Find a hull, a tour or triangles of points."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """A run of convex-hull, salesman or delaunay: its name or folder. Empty: the newest run."""
    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE|-|WORDS")] = ""
    """Two numbers a line, x and y: in a file, from standard input (-), or as they are. Empty: drawn at random."""
    count: int = 10
    """How many points are drawn, where no file is given."""
    seed: int = 0
    """Of the points that are drawn."""
    encoding: str = "utf-8"
    """How the file's bytes are to be read."""
    cell: str = ""
    """Allow this cell, package.module:Class, which the run names."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""

    def __post_init__(self) -> None:
        if self.count < FEWEST:
            raise OptionError(f"--count {self.count}: expected {FEWEST} or more")


def point(request: PointRequest) -> Iterator[Message]:
    """The answer, and its picture."""
    import numpy as np

    from unrolled.data.planar import draw_points
    from unrolled.data.points_file import read_points
    from unrolled.workshop.run import Run

    run = Run(folders.open_run(request.run, folders.runs_folder(request.runs)), request.cell)
    if request.file:
        points = read_points(*_content(request))
    else:
        points = draw_points(np.random.default_rng(request.seed), 1, request.count)[0]
    numbers = pointed(run, points)
    yield Pointed(numbers, _SHOWN[run.recipe_name])
    yield from show([picture(points, numbers, run)], request)


def checked(points: object) -> np.ndarray:
    """Anything that NumPy takes as (N, 2) float64. DataError where it is no set of points that has an answer."""
    import numpy as np

    from unrolled.data.points_file import check_points

    try:
        found = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("the points: pairs of numbers were expected, (N, 2), and something else came") from error
    if found.shape[1:] != (2,) or not np.isfinite(found).all():
        raise DataError(f"the points: pairs of finite numbers were expected, (N, 2); {found.shape} came")
    check_points(found, "the points")
    return found


def pointed(run: Run, points: np.ndarray) -> tuple[int, ...]:
    """What a run's pointer network answers about points (N, 2): their numbers from 1, without the end.

    OptionError where the run's model does not point, or cannot answer for so many.
    """
    import numpy as np
    import torch

    from unrolled.batch import Batch
    from unrolled.data.pointing import from_left_to_right
    from unrolled.data.points_file import to_square
    from unrolled.layers.pointer import END
    from unrolled.models.pointer_network import PointerNetwork

    model = run.model
    if not isinstance(model, PointerNetwork):
        raise run.unfit("points at nothing", ", ".join(_SHOWN))
    if model.vocabulary and len(points) > model.vocabulary:
        raise OptionError(
            f"{run.folder.path}: without pointers it answers for {model.vocabulary} points at most; {len(points)} came"
        )
    scaled = to_square(points)
    # In the order that the run learnt; what is said goes by the numbers that the points have here.
    order = from_left_to_right(scaled[None])[0] if run.assets["in_order"] else np.arange(len(points))
    read = torch.from_numpy(scaled[order]).to(next(model.parameters()).dtype)
    with torch.inference_mode():
        answer = model.predict(Batch({"points": read[:, None]}))
    return tuple((order[answer[answer != END].numpy() - 1] + 1).tolist())


def picture(points: np.ndarray, numbers: Sequence[int], run: Run) -> Points:
    """The points, and what joins them: one closed line, or one for each triangle."""
    chosen = points[[number - 1 for number in numbers]].tolist()
    corners = _CORNERS[run.recipe_name] or len(chosen)
    line: list[list[float]] = []
    for first in range(0, len(chosen), corners):
        # NaN parts one closed line from the next.
        line += [*([[nan, nan]] if first else []), *chosen[first : first + corners], chosen[first]]
    name = _SHOWN[run.recipe_name]
    title = f"{name} of {len(points)} points, by {run.name}".capitalize()
    joined, every = Series(name, *_coordinates(line)), Series("points", *_coordinates(points.tolist()))
    return Points(title, (every,), "x", "y", (joined,))


def _coordinates(points: list[list[float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """All x, and all y."""
    return tuple(x for x, _ in points), tuple(y for _, y in points)


def _content(request: PointRequest) -> tuple[str, str]:
    """The text that the request's `file` means, and what it is called in messages."""
    file = request.file
    name = "standard input" if file == "-" else "the points" if means_words(file) else Path(file).name
    return given_text(file, LONGEST, request.encoding), name
