"""A loaded run: the model, its recipe and its verbs, from Python.

run = unrolled.load("runs/book")
run.sample("Once upon")
run.evaluate()
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from unrolled.errors import OptionError, RunError
from unrolled.figures import Figure
from unrolled.generation.settings import Sampling
from unrolled.kernels.kernel import Precision
from unrolled.models.model import Model
from unrolled.recipes import registry
from unrolled.recipes.recipe import Data, Options, Recipe
from unrolled.workshop import disk
from unrolled.workshop import folder as folders
from unrolled.workshop.folder import RunFolder
from unrolled.workshop.messages import Piece
from unrolled.workshop.options import from_plain, to_plain
from unrolled.workshop.weights import load_weights, read_weights, write_weights

if TYPE_CHECKING:
    from unrolled.workshop.forecast import Ahead


def load(path: str | Path, cell: str = "") -> Run:
    """The run in folder `path`, or the run of that name, or "tiny", which is part of the package; "" is the newest.

    cell: a run whose cell is code from elsewhere (package.module:Class) opens only when that cell is named here too:
        merely opening a folder runs no code that the folder names.
    """
    return Run(folders.open_run(str(path), folders.runs_folder(), bundled=True), cell)


@dataclass(frozen=True)
class Opened:
    """What a run's files say, before any model is made."""

    folder: RunFolder
    recipe_name: str
    recipe: Recipe
    options: Options
    assets: Mapping[str, Any]


def read_folder(folder: RunFolder, cell: str = "") -> Opened:
    """Recipe, options and assets of a run. RunError where they cannot be read, or name code that was not allowed."""
    config = folder.model_config()
    recipe = registry.find(config["recipe"])
    options = from_plain(recipe, config["options"], str(folder.path / "config.json"))
    if ":" in options.cell and options.cell != cell:
        raise RunError(
            f"{folder.path}: its cell is {options.cell}, code from outside this package, which opening a run does not "
            f"import by itself; if you trust it, say --cell {options.cell}"
        )
    return Opened(folder, config["recipe"], recipe, options, config["assets"])


def read_data(opened: Opened, moved_to: str = "") -> Data:
    """The data that a run was trained on, read again. RunError where it has gone, or has changed since.

    moved_to: where it is now, if not where it was.
    """
    folder, options = opened.folder, opened.options
    if moved_to:
        options = replace(options, data=moved_to)
    elif os.path.isabs(options.data) and not os.path.exists(options.data):
        raise RunError(
            f"{options.data}: no such file or folder, and {folder.name} learnt from it; where it has moved, say so "
            "with --data"
        )
    data = opened.recipe.data(options, folder.path, opened.assets)
    recorded = folder.config()["data"]["digest"]
    if data.digest != recorded:
        what = f"--data {moved_to} is not what was there when" if moved_to else "the data has changed since"
        raise RunError(
            f"{folder.path}: {what} the run began (SHA-256 {data.digest[:12]}…, then {recorded[:12]}…); put the old "
            f"data back, or train a new run from these weights: --from {folder.name}"
        )
    return data


class Run:
    """One run, opened. The model is in evaluation mode, on the CPU."""

    def __init__(self, folder: RunFolder, cell: str = "", data: str = "") -> None:
        """data: where the run's data is now, if not where it was."""
        self._opened = opened = read_folder(folder, cell)
        self._moved_to = data
        self.folder = folder
        self.recipe_name, self.recipe = opened.recipe_name, opened.recipe
        self.options, self.assets = opened.options, opened.assets
        self.model = self._load_model()

    @property
    def name(self) -> str:
        return self.folder.name

    def _load_model(self) -> Model:
        tensors = read_weights(self.folder)
        # The weights drawn here are replaced at once; the caller's random state must not notice.
        with torch.random.fork_rng(devices=[]):
            model = self.recipe.model(self.options, self.assets)
        if any(tensor.dtype == torch.float64 for tensor in tensors.values()):
            model.double()
        load_weights(model, tensors, self.folder)
        return model.eval()

    def unfit(self, lacks: str, take: str) -> OptionError:
        """What to say where the run cannot do what it was asked: what it lacks, which to take, and what it is for."""
        use = self.recipe.use(self.name)
        own = f"; `unrolled {use}` is what this one is for" if use else ""
        return OptionError(
            f"{self.folder.path}: a model of the recipe {self.recipe_name} {lacks}; take a run of {take}{own}"
        )

    @cached_property
    def data(self) -> Data:
        """The data that the run was trained on, read again. RunError where it has changed since, or has gone."""
        return read_data(self._opened, self._moved_to)

    def evaluate(self, part: str = "test") -> dict[str, float]:
        """The recipe's figures on a part that was held out: "test" or "valid"."""
        held_out = self.data.held_out
        if held_out.get(part) is None:
            parts = [name for name, value in held_out.items() if value is not None]
            raise OptionError(
                f"--part {part}: the recipe {self.recipe_name} holds out {', '.join(parts) or 'nothing'} in this run"
            )
        return self.recipe.metric(self.model, held_out[part])

    def translate(self, sentences: Sequence[str], beam: int = 5) -> list[str]:
        """Each sentence in the language that a run of translate has learnt; OptionError for any other run."""
        from unrolled.workshop.translate import translations

        return [one.text for one in translations(self, sentences, beam)]

    def parse(self, sentences: Sequence[Sequence[str]], beam: int = 5) -> list[str]:
        """The tree of each sentence, given as words, in brackets, by a run of parse; empty where there are no words."""
        from unrolled.workshop.parse import trees

        return ["" if one is None else str(one.tree) for one in trees(self, sentences, beam)]

    def predict(self, items: Sequence[Any]) -> list[Any]:
        """What the run says of people's own, as `unrolled predict` does; OptionError where it was not trained to.

        A run of sentiment: texts → `predict.Label`s, with label, probability and probabilities. A run of tagging:
        sentences, each a list of words → for each word of each its tags, one of each column that was learnt.
        """
        from unrolled.workshop import predict

        classifying, tagging = predict.reading_of(self)
        if classifying is not None:
            return predict.labels(self, classifying, items)
        assert tagging is not None
        return predict.tags(self, tagging, items)

    def forecast(
        self, file: str | Path = "", steps: int = 0, *, time: str = "", target: str = "", seed: int = 0
    ) -> Ahead:
        """The next `steps` values (0: as many as it learnt to) of the table in `file`, or of what it learnt from, with
        their times and the ends of their intervals, by a run of forecast or temperature.

        time, target: what the file's columns are called, if not as in the training. seed: of drawn paths.
        """
        from unrolled.workshop.forecast import forecast_from_end, read_series

        return forecast_from_end(self, read_series(self, str(file), time, target), steps, seed)

    def point(self, points: Any) -> tuple[int, ...]:
        """The answer about points (N, 2), anything that NumPy takes: their numbers from 1, the corners of a hull, a
        tour, or three for each triangle, by a run of convex-hull, salesman or delaunay.
        """
        from unrolled.workshop.point import checked, pointed

        return pointed(self, checked(points))

    def sample(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        stop: Sequence[str] = (),
        seed: int = 0,
        precision: Precision = "float32",
    ) -> str:
        """A text that goes on from `prompt` (which is not part of it), of at most `length` symbols.

        precision: of the recurrent weights: "bfloat16" and "int8" are faster, and not quite the same.
        """
        how = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p, "precision": precision}
        pieces = self.stream(prompt, length, stop=stop, seed=seed, **how)
        return "".join(piece.text for piece in pieces)

    def stream(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        stop: Sequence[str] = (),
        seed: int = 0,
        precision: Precision = "float32",
    ) -> Iterator[Piece]:
        """As `sample`, piece by piece as it is drawn."""
        from unrolled.workshop.sample import Writer

        writer = Writer(self, Sampling(temperature, top_k, top_p, min_p), stop=stop, precision=precision)
        return writer.write(prompt, length, seed)

    def inspect(self, what: str, **options: Any) -> tuple[Figure, ...]:
        """A look into the model: what `unrolled inspect WHAT` shows, as figures.

        what: "ranking", "unit", "saliency", …; options: those of the command: text="…", unit=3.
        """
        from unrolled.workshop.inspect import figures_of, request_of

        return figures_of(self, request_of(what, options))

    def save_pretrained(self, path: str | Path) -> Path:
        """The model alone, in folder `path`: config.json and model.safetensors, which `from_pretrained` opens."""
        target = RunFolder(Path(path))
        try:
            target.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk.unwritable(error, target.path) from error
        target.write_model_config(self.recipe_name, to_plain(self.options), self.assets)
        write_weights(target, self.model)
        return target.path

    @classmethod
    def from_pretrained(cls, path: str | Path, cell: str = "") -> Run:
        """The model that `save_pretrained` put into folder `path`, or any run folder."""
        return cls(folders.open_run(str(path), folders.runs_folder(), bundled=True), cell)
