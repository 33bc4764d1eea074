"""What the recipes share that go from one sequence to another: options, settings, the model, and how it writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from unrolled.recipes.recipe import CellName, Options, Sizes, require
from unrolled.training.hardware import automatic_dtype
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    import numpy as np

    from unrolled.generation.beam import Hypothesis
    from unrolled.models.encoder_decoder import EncoderDecoder
    from unrolled.models.model import Advance
    from unrolled.states import State

#: Sequences that are written side by side: enough for the products, few enough that all are of about one length.
SIDE_BY_SIDE = 64


@dataclass(frozen=True)
class PairOptions(Options):
    """Options of all of them. A recipe's own class gives its defaults."""

    cell: CellName = "gru"
    encoding: str = "utf-8"
    """How the files' bytes are to be read."""
    embedding: int = 256
    """Features of a symbol, and of what the decoder reads out."""
    sizes: Sizes = (256,)
    """Hidden units of each layer, of the encoder (in each direction) and of the decoder."""
    directions: Literal["both", "forward"] = "both"
    """In which the encoder reads."""
    attention: Literal["additive", "general", "dot", "none"] = "additive"
    """How the decoder looks at what the encoder wrote: a score, or not at all."""
    place: Literal["after", "fed", "before"] = "after"
    """Where it stands: after the decoder's step; the same, fed to the next step (Luong); before the step (Bahdanau)."""
    coverage: bool = False
    """Tell the additive score what has been looked at already (fed or before)."""
    dropout: float = 0.3
    """On embeddings, between layers, on what the encoder wrote and on what the decoder reads out."""
    label_smoothing: float = 0.1
    """Share of each target that is spread over all symbols in training."""
    scheduled_sampling: float = 0.0
    """Share of symbols that the decoder reads as it would have written them, in training, from --sampling-steps on."""
    sampling_steps: int = 1000
    """Updates in which that share rises from nothing."""
    batch_size: int = 96
    """Pairs side by side."""
    rate: float = 4e-3
    """AdamW's highest learning rate."""
    decay: Literal["linear", "cosine", "constant"] = "linear"
    """How the rate falls to nothing over the budget."""
    warmup: int = 100
    """Steps in which the rate rises to its height."""
    weight_decay: float = 0.0
    """Decoupled, on matrices."""
    clip: float = 1.0
    """The gradient's greatest norm; 0 is none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.embedding >= 1, "embedding", self.embedding, "1 or more")
        require(len(self.sizes) > 0 and min(self.sizes) >= 1, "sizes", self.sizes, "one or more sizes of 1 or more")
        for name in ("dropout", "label_smoothing", "scheduled_sampling"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "at least 0 and below 1")
        require(self.sampling_steps >= 1, "sampling_steps", self.sampling_steps, "1 or more")
        require(self.batch_size >= 1, "batch_size", self.batch_size, "1 or more")
        require(self.rate > 0, "rate", self.rate, "above 0")
        require(self.warmup >= 0, "warmup", self.warmup, "0 or more")
        require(self.weight_decay >= 0, "weight_decay", self.weight_decay, "0 or more")
        require(self.clip >= 0, "clip", self.clip, "0 (none) or more")


def encoder_decoder(
    options: PairOptions,
    source_size: int,
    target_size: int,
    *,
    tied: bool,
    moves: Sequence[bool] = (),
) -> EncoderDecoder:
    """The model of these options, over so many symbols; `moves` as the model takes it."""
    from unrolled.cells import registry
    from unrolled.models.encoder_decoder import EncoderDecoder

    return EncoderDecoder(
        registry.find(options.cell),
        source_size,
        target_size,
        options.embedding,
        options.sizes,
        two_directions=options.directions == "both",
        attention="" if options.attention == "none" else options.attention,
        place=options.place,
        coverage=options.coverage,
        dropout=options.dropout,
        tied=tied,
        label_smoothing=options.label_smoothing,
        scheduled_sampling=options.scheduled_sampling,
        sampling_steps=options.sampling_steps,
        moves=moves,
        kernel=options.kernel,
    )


def settings(options: PairOptions, default: Budget) -> Settings:
    """Settings of the options; `default` is the budget where none is given."""
    return Settings(
        budget=options.budget(default),
        rate=options.rate,
        decay=options.decay,
        warmup_steps=options.warmup,
        weight_decay=options.weight_decay,
        clip_norm=options.clip,
        dtype=options.number_type(automatic_dtype(options.device)),
        seed=options.seed,
    )


class Pairs(NamedTuple):
    """Sequences as symbols, and the two that begin and end each target."""

    sources: list[np.ndarray]
    targets: list[np.ndarray]
    start: int
    end: int


def mean_loss(model: EncoderDecoder, pairs: Pairs) -> float:
    """Nats per symbol of the targets, the end symbol counted, in evaluation mode."""
    import torch

    from unrolled.data.pairs import in_order

    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.inference_mode():
        for batch in in_order(*pairs, batch_size=100):
            loss = model.loss(batch.map(lambda tensor: tensor.to(device)), ())
            total, count = total + float(loss.total), count + int(loss.count)
    model.train(was_training)
    return total / count


#: What the search may write: a stepper and its state for a batch of sources, made into others.
Rule = Callable[["Advance", "State", "Sequence[int]"], tuple["Advance", "State"]]


def write(
    model: EncoderDecoder,
    sources: Sequence[np.ndarray],
    start: int,
    end: int,
    *,
    beam: int,
    length_penalty: float,
    longest: Callable[[int], int],
    rule: Rule | None = None,
) -> list[list[Hypothesis]]:
    """For each source the texts that a beam finds, best first, in evaluation mode; the start symbol is never written.

    longest: from the length of a source to the most symbols that are written for it.
    rule: given the stepper, the state and the numbers of a batch's sources, gives a stepper that allows less.
    """
    import torch

    from unrolled.data.pairs import by_length, ragged
    from unrolled.generation.beam import beam_search

    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    found: list[list[Hypothesis]] = [[] for _ in sources]
    with torch.inference_mode():
        step = model.stepper()

        def advance(symbols: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
            logits, state = step(symbols, state)
            logits[:, start] = -torch.inf
            return logits, state

        for numbers in by_length([len(source) for source in sources], SIDE_BY_SIDE):
            source = ragged([sources[i] for i in numbers])
            state: State = model.encode(source.values.to(device), source.lengths.to(device))
            now: Advance = advance
            if rule is not None:
                now, state = rule(advance, state, numbers.tolist())
            prompt = torch.full((1, len(numbers)), start, device=device)
            lengths = [longest(len(sources[i])) for i in numbers]
            batch = beam_search(now, state, prompt, beam, lengths, end=end, length_penalty=length_penalty)
            for i, hypotheses in zip(numbers.tolist(), batch, strict=True):
                found[i] = hypotheses
    model.train(was_training)
    return found


def looked(
    model: EncoderDecoder, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], start: int, end: int
) -> list[np.ndarray]:
    """For each pair α (target's length + 1, source's length): where each symbol that is written, and the end, looks."""
    import torch

    from unrolled.batch import Batch
    from unrolled.data.pairs import by_length, gather

    device = next(model.parameters()).device
    found: list[np.ndarray] = [None] * len(sources)  # type: ignore[list-item]
    with torch.inference_mode():
        for numbers in by_length([len(source) for source in sources], SIDE_BY_SIDE):
            batch = Batch(gather(sources, targets, start, end)(numbers)).map(lambda tensor: tensor.to(device))
            weights = model.align(batch).float().cpu().numpy()
            for row, i in enumerate(numbers.tolist()):
                found[i] = weights[: len(targets[i]) + 1, row, : len(sources[i])]
    return found
