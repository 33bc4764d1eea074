"""What the recipes over text share: where the text comes from, the two held-out losses, and a sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.errors import DataError, did_you_mean
from unrolled.recipes.recipe import Writing

if TYPE_CHECKING:
    import numpy as np

    from unrolled.batch import Batch
    from unrolled.data.text import FoundFiles
    from unrolled.models.language_model import LanguageModel
    from unrolled.models.model import SteppedModel

#: Characters of a sample that is shown while training goes on.
SAMPLE_LENGTH = 400
ZERO_STATE_WINDOW = 256
#: In a run's folder: the text that came through standard input.
KEPT_INPUT = "input.txt"


@dataclass(frozen=True)
class NGram:
    """The baseline beside a network: an n-gram of `order`, learnt from symbols (N,) from 0 to `size` − 1."""

    training: np.ndarray
    size: int
    order: int


@dataclass(frozen=True)
class HeldOutText:
    """A part of a text, and how it is read with the state carried over it.

    streams: 1 reads it in one go, as the figure that is reported does; more read it side by side, each warmed up on the
        symbols before its own, which is quick enough for a look now and then.
    baseline: what is measured on it beside the network; it counts the same symbols.
    """

    ids: np.ndarray
    streams: int
    baseline: NGram | None = None


def text_files(data: str, default: str, folder: Path) -> FoundFiles:
    """The files that `--data` means: standard input (kept in the run's folder), a data set's name, a file or a folder.

    default: what an empty `data` means; "" is the source of Python's own standard library.
    """
    from unrolled.data import named, text

    data = data or default
    if data == "":
        return text.standard_library_files()
    if data == "-":
        kept = folder / KEPT_INPUT
        return text.find_files([kept if kept.exists() else text.keep_standard_input(kept)])
    if not Path(data).exists() and named.is_known(data):
        return text.find_files([named.find(data)])
    if not Path(data).exists() and not Path(data).suffix and not Path(data).parent.name:
        raise DataError(
            f"{data}: no such file, and no data set of that name.{did_you_mean(data, named.names())} "
            "`unrolled data list` shows the data sets"
        )
    return text.find_files([Path(data)])


def one_path(data: str, default: str, folder: Path) -> Path:
    """As `text_files`, where one file, folder or archive is expected, which is not opened yet."""
    from unrolled.data import named, text

    data = data or default
    if data == "-":
        kept = folder / KEPT_INPUT
        return kept if kept.exists() else text.keep_standard_input(kept)
    if Path(data).exists():
        return Path(data)
    return named.find(data) if named.is_known(data) else text_files(data, default, folder)[0]


def held_out_losses(model: LanguageModel, part: HeldOutText) -> dict[str, float]:
    """Nats per symbol with the state carried over the whole part, and from zero state over windows of 256; and of the
    baseline, where the part has one.
    """
    from unrolled.data.streams import carried_windows, zero_state_windows

    carried = carried_windows(part.ids, window=1024 if part.streams == 1 else 256, streams=part.streams, warm_up=256)
    found = {
        "state carried": mean_loss(model, carried),
        "from zero state": mean_loss(model, zero_state_windows(part.ids, ZERO_STATE_WINDOW, batch_size=64)),
    }
    if part.baseline is not None:
        found[f"{part.baseline.order}-gram"] = n_gram_losses(part.baseline, part.ids)[-1]
    return found


def n_gram_losses(baseline: NGram, ids: np.ndarray) -> list[float]:
    """Nats per symbol of n-grams of every order up to the baseline's, the first symbol not counted."""
    from unrolled.recipes.kneser_ney import losses

    return losses(baseline.training, baseline.size, baseline.order, ids)


def mean_loss(model: LanguageModel, batches: Iterable[Batch]) -> float:
    """−ln p per counted symbol, in float32, with the state carried from batch to batch where a batch is not fresh."""
    import torch

    from unrolled import states

    device = next(model.parameters()).device
    total, count = 0.0, 0
    state = None
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for batch in batches:
            batch = batch.map(lambda tensor: tensor.to(device))  # noqa: PLW2901
            symbols = batch["symbols"]
            rows = (symbols if isinstance(symbols, torch.Tensor) else symbols.values).shape[1]
            start = model.initial_state(rows)
            # Batches that begin afresh may have another number of rows than those before.
            if state is not None and batch.fresh is not None and not batch.fresh.all():
                start = states.where(batch.fresh, start, state)
            loss = model.loss(batch, start)
            state = loss.state
            total += float(loss.total)
            count += int(loss.count)
    model.train(was_training)
    return total / count


def writing(assets: Mapping[str, Any]) -> Writing:
    """Texts of a vocabulary, without an end. An empty prompt is a line's end, where there is one."""
    from unrolled.data.vocabulary import vocabulary_from_assets
    from unrolled.errors import PromptError

    vocabulary = vocabulary_from_assets(assets["vocabulary"])

    def encode(prompt: str) -> list[int]:
        if prompt:
            return vocabulary.encode(prompt).tolist()
        try:
            return vocabulary.encode("\n").tolist()
        except PromptError:
            return [0]

    return Writing(encode, vocabulary.decoder)


def write(
    model: SteppedModel, writing: Writing, seed: int, length: int, prompt: str = "", temperature: float = 0.8
) -> str:
    """Up to `length` symbols that follow `prompt`, as one text."""
    import torch

    from unrolled.generation.sampling import Sampling, generate

    device = next(model.parameters()).device
    read = torch.tensor(writing.encode(prompt), device=device)[:, None]
    generator = torch.Generator(device).manual_seed(seed)
    drawn = generate(
        model.stepper(), model.initial_state(1), read, Sampling(temperature=temperature), generator=generator
    )
    decoder = writing.decoder()
    text = ""
    for _ in range(length):
        symbol = int(next(drawn).symbols[0])
        if symbol == writing.end:
            break
        text += decoder.feed(symbol)
    return text


def draw(
    model: SteppedModel,
    begin: Sequence[int],
    count: int,
    length: int,
    temperature: float,
    seed: int,
    end: int | None = None,
) -> list[list[int]]:
    """`count` texts that follow `begin`, drawn side by side: symbols up to `end`, which is left out, or to `length`."""
    import torch

    from unrolled.generation.sampling import Sampling, generate

    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    drawn = generate(
        model.stepper(),
        model.initial_state(count),
        torch.tensor(begin, device=device)[:, None].expand(-1, count),
        Sampling(temperature=temperature),
        generator=torch.Generator(device).manual_seed(seed),
    )
    texts: list[list[int]] = [[] for _ in range(count)]
    ended = [False] * count
    for _ in range(length):
        for row, symbol in enumerate(next(drawn).symbols.tolist()):
            ended[row] |= symbol == end
            if not ended[row]:
                texts[row].append(symbol)
        if all(ended):
            break
    model.train(was_training)
    return texts


def sample_text(model: LanguageModel, assets: Mapping[str, Any], seed: int) -> str:
    """A few lines, from a line's start."""
    return write(model, writing(assets), seed, SAMPLE_LENGTH)
