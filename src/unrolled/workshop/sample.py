"""`sample`: texts from a run, streamed as they are drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from unrolled.errors import CheckpointError, OptionError
from unrolled.generation.settings import Sampling
from unrolled.workshop import disk
from unrolled.workshop import folder as folders
from unrolled.workshop.messages import Alternative, Message, Note, Piece, TextEnd

if TYPE_CHECKING:
    from torch import Tensor

    from unrolled.kernels.kernel import Precision
    from unrolled.recipes.recipe import Decoder
    from unrolled.workshop.run import Run

#: Key of the settings in the metadata of a saved state.
STATE_KEY = "unrolled-state"
STATE_FORMAT = 1


@dataclass(frozen=True)
class SampleRequest:
    """Write a text with a trained model."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """A run's name or folder, or `tiny`, which is part of the package. Empty: the newest run, else tiny."""
    prompt: Annotated[str, tyro.conf.arg(metavar="WORDS")] = ""
    """What the text goes on from."""
    length: int = 500
    """Symbols to draw, at most."""
    count: int = 1
    """How many texts."""
    sampling: tyro.conf.OmitArgPrefixes[Sampling] = field(default_factory=lambda: Sampling(temperature=0.8))
    """How the next symbol is drawn. The four work in this order, each on what the one before left, renormalised."""
    greedy: bool = False
    """Always the likeliest symbol: the same as --temperature 0."""
    beam: int = 0
    """Search for the likeliest text with a beam this wide, instead of drawing; 0 draws."""
    stop: Annotated[tuple[str, ...], tyro.conf.arg(metavar="[WORDS [WORDS ...]]")] = ()
    """Texts at which to stop; they are not printed."""
    seed: int = 0
    """Of the draws. Text 2 of --count uses seed + 1, and so on."""
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    """Of the recurrent weights: narrower ones make a large model faster, and its text a little different."""
    log_probabilities: bool = False
    """Show each symbol's log-probability, in nats, and what else might have come."""
    save_state: str = ""
    """A file in which to keep where the text stopped, so that it can be continued."""
    continue_state: str = ""
    """A file of --save-state: go on from there, to the symbols that would have come."""
    cell: str = ""
    """Allow this cell, package.module:Class, which the run names."""
    runs: str = ""
    """The folder of the runs; empty is UNROLLED_RUNS, else ./runs."""

    def __post_init__(self) -> None:
        for name in ("length", "count"):
            if getattr(self, name) < 1:
                raise OptionError(f"--{name} {getattr(self, name)}: expected 1 or more")
        if self.beam < 0:
            raise OptionError(f"--beam {self.beam}: expected 0 (draw) or a width of 1 or more")
        if not 0 <= self.seed < 2**63:
            raise OptionError(f"--seed {self.seed}: expected from 0 to 2^63 − 1")
        if self.beam and self.greedy:
            raise OptionError("--beam and --greedy are two ways to search: give one of them")
        if self.beam and (self.save_state or self.continue_state):
            raise OptionError("--beam searches whole texts: it cannot save or continue a state")
        if self.continue_state and self.prompt:
            raise OptionError("--continue-state goes on from a saved place: it takes no --prompt")
        if self.count > 1 and (self.save_state or self.continue_state):
            raise OptionError("--save-state and --continue-state are for one text: leave --count out")


def sample(request: SampleRequest) -> Iterator[Message]:
    """The texts asked for, piece by piece."""
    from unrolled.workshop.run import Run

    folder = folders.open_run(request.run, folders.runs_folder(request.runs), bundled=True)
    run = Run(folder, request.cell)
    sampling = Sampling(0.0) if request.greedy else request.sampling
    alternatives = 5 if request.log_probabilities else 0
    writer = Writer(run, sampling, stop=request.stop, alternatives=alternatives, precision=request.precision)
    if request.beam:
        yield from writer.search(request.prompt, request.length, request.beam, request.count)
        return
    for number in range(request.count):
        if request.continue_state:
            pieces = writer.go_on(Path(request.continue_state), request.length)
        else:
            pieces = writer.write(request.prompt, request.length, request.seed + number, number)
        symbols, total = 0, 0.0
        for piece in pieces:
            if piece.log_probability is not None:
                symbols += 1
                total += piece.log_probability
            yield piece
        yield TextEnd(number, symbols, total)
    if request.save_state:
        writer.save(Path(request.save_state))
        yield Note(f"{request.save_state}: where the text stopped; go on with --continue-state {request.save_state}")


class Writer:
    """Draws texts from one run.

    alternatives: how many of the likeliest symbols each piece tells. precision: of the recurrent weights.
    """

    def __init__(
        self,
        run: Run,
        sampling: Sampling,
        stop: Sequence[str] = (),
        alternatives: int = 0,
        precision: Precision = "float32",
    ) -> None:
        from unrolled.layers.precision import step_with
        from unrolled.models.model import SteppedModel

        if run.recipe.writing is None or not isinstance(run.model, SteppedModel):
            raise run.unfit("does not write texts", "char-lm or names")
        self.model = run.model
        step_with(self.model, precision)
        self.writing = run.recipe.writing(run.assets)
        self.sampling = sampling
        self.stop = tuple(stop)
        self.alternatives = alternatives
        self.generation: Any = None
        # All that was drawn: a text that is continued begins with the rest of what was not whole yet, a character or a
        # stanza, and only a decoder knows from where on that hangs together.
        self._drawn: list[int] = []

    def _read_prompt(self, prompt: str) -> Any:
        import torch

        device = next(self.model.parameters()).device
        return torch.tensor(self.writing.encode(prompt), device=device)[:, None]

    def write(self, prompt: str, length: int, seed: int, number: int = 0) -> Iterator[Piece]:
        """Up to `length` symbols after `prompt`, as pieces of text."""
        import torch

        from unrolled.generation.sampling import generate

        generator = torch.Generator(next(self.model.parameters()).device).manual_seed(seed)
        self._drawn = []
        self.generation = generate(
            self.model.stepper(),
            self.model.initial_state(1),
            self._read_prompt(prompt),
            self.sampling,
            generator=generator,
            alternatives=self.alternatives,
        )
        return self._pieces(length, number)

    def _pieces(self, length: int, number: int = 0) -> Iterator[Piece]:
        from unrolled.generation.stopping import StopTexts

        stopping = StopTexts(self.stop)
        decoder = self.writing.decoder()
        for symbol in self._drawn:
            decoder.feed(symbol)
        for _ in range(length):
            drawn = next(self.generation)
            symbol = int(drawn.symbols[0])
            log_probability = float(drawn.log_probabilities[0])
            others = () if drawn.alternatives is None else self._alternatives(drawn.alternatives)
            if symbol == self.writing.end:
                yield Piece(stopping.rest(), number, log_probability, others)
                return
            text = decoder.feed(symbol)
            self._drawn.append(symbol)
            yield Piece(stopping.feed(text), number, log_probability, others)
            if stopping.found is not None:
                return
        if rest := stopping.rest():
            yield Piece(rest, number)

    def _alternatives(self, top: Any) -> tuple[Alternative, ...]:
        pairs = zip(top.symbols[0].tolist(), top.log_probabilities[0].tolist(), strict=True)
        return tuple(Alternative(self._name(symbol), log_probability) for symbol, log_probability in pairs)

    def _name(self, symbol: int) -> str:
        if symbol == self.writing.end:
            return "(end)"
        decoder: Decoder = self.writing.decoder()
        return decoder.feed(symbol) or f"({symbol})"

    def search(self, prompt: str, length: int, width: int, count: int) -> Iterator[Message]:
        """The likeliest texts that a beam finds, best first."""
        from unrolled.generation.beam import beam_search

        (found,) = beam_search(
            self.model.stepper(),
            self.model.initial_state(1),
            self._read_prompt(prompt),
            max(width, count),
            length,
            end=self.writing.end,
        )
        for number, hypothesis in enumerate(found[:count]):
            decoder = self.writing.decoder()
            text = "".join(decoder.feed(symbol) for symbol in hypothesis.symbols if symbol != self.writing.end)
            yield Piece(text, number)
            yield TextEnd(number, len(hypothesis.symbols), hypothesis.log_probability)

    def save(self, file: Path) -> None:
        """Keep where the last text stopped: model state, next logits, the generator, and symbols not yet shown."""
        from safetensors.torch import save

        from unrolled import states

        kept = states.to_tensors(self.generation.continuation())
        facts = {"format": STATE_FORMAT, "model": self._fingerprint(), "pending": self._drawn}
        tensors = {name: tensor.contiguous() for name, tensor in kept.items()}
        disk.write_whole(file, save(tensors, {STATE_KEY: json.dumps(facts)}))

    def go_on(self, file: Path, length: int) -> Iterator[Piece]:
        """Go on from what `save` kept. CheckpointError where the file is not of this model."""
        import torch

        from unrolled import states
        from unrolled.generation.sampling import Continuation, Generation

        tensors, facts = _read_state(file)
        if facts["model"] != self._fingerprint():
            raise CheckpointError(f"{file}: saved by another model; continue it with the run that saved it")
        like = Continuation(
            torch.empty(1, self.model.vocabulary_size),
            self.model.initial_state(1),
            torch.Generator().get_state(),
        )
        wanted = dict(states.leaves(like))
        if wanted.keys() != tensors.keys() or any(
            tensors[name].shape != leaf.shape or tensors[name].dtype != leaf.dtype for name, leaf in wanted.items()
        ):
            raise CheckpointError(f"{file}: edited, or saved by another version; save it anew with --save-state")
        self._drawn = facts["pending"]
        self.generation = Generation.resume(
            self.model.stepper(), states.from_tensors(tensors, like), self.sampling, alternatives=self.alternatives
        )
        return self._pieces(length)

    def _fingerprint(self) -> str:
        """SHA-256 of the weights."""
        from unrolled.workshop.weights import digest_of

        return digest_of(self.model)


def _read_state(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of a file of --save-state; CheckpointError where it is none."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        content = file.read_bytes()
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        facts = json.loads(header["__metadata__"][STATE_KEY])
    except OSError as error:
        raise CheckpointError(f"{file}: {error.strerror}; --continue-state takes a file of --save-state") from error
    except (SafetensorError, KeyError) as error:
        raise CheckpointError(f"{file}: truncated, or no file of --save-state; save one with --save-state") from error
    if facts["format"] != STATE_FORMAT:
        raise CheckpointError(f"{file}: of format {facts['format']}, this version reads {STATE_FORMAT}; save it anew")
    return tensors, facts
