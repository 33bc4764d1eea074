"""What an action says, shown: live in a terminal, plain text or JSON lines where there is none."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from unrolled.cli.main import STOPPED
from unrolled.training.events import Interrupted
from unrolled.workshop.actions import Action
from unrolled.workshop.messages import (
    Activity,
    Began,
    Columns,
    Evaluated,
    Next,
    Note,
    ParsedSentence,
    Piece,
    Pointed,
    Predicted,
    Serving,
    Shown,
    StudyStopped,
    TextEnd,
    TextRead,
    Translated,
)

#: Actions whose progress is JSON lines when it goes into a pipe; what the others say is text either way.
PROGRESS = ("train", "resume", "study")


def show(action: Action, request: Any, as_json: bool) -> int:
    """Run the action and show each event; gives the exit code."""
    if action.name in PROGRESS:
        if as_json or not sys.stdout.isatty():
            return _show_progress(action.run(request))
        if action.name == "study":
            from unrolled.cli.live_study import show_study

            return show_study(action.run(request))
        from unrolled.cli.live import show_live

        return show_live(action.run(request))
    if as_json:
        for event in action.run(request):
            _print_json(event)
        return 0
    text = TextPrinter()
    for message in action.run(request):
        text.show(message)
    return 0


def _print_json(event: Any) -> None:
    print(json.dumps(event.to_dict(), ensure_ascii=False), flush=True)


def _show_progress(events: Iterable[Any]) -> int:
    """One JSON line an event. A study that was stopped has said how to go on; its exit code is a training's."""
    code, listening = 0, True
    with says_how_to_go_on() as told:
        for event in events:
            told(event)
            if isinstance(event, (Interrupted, StudyStopped)):
                code = STOPPED
            if not listening:
                continue
            try:
                _print_json(event)
            except BrokenPipeError:
                # The reader has gone: as after Ctrl-C, the training is saved and ends, with nobody to tell.
                listening = False
                signal.raise_signal(signal.SIGINT)
    if not listening:
        raise BrokenPipeError
    return code


@contextmanager
def says_how_to_go_on() -> Iterator[Any]:
    """Gives a function that is told every event; where a second Ctrl-C then ends all at once, says how to go on."""
    run = ""

    def told(event: Any) -> None:
        nonlocal run
        if isinstance(event, Began):
            run = event.folder

    try:
        yield told
    except KeyboardInterrupt:
        if run:
            how = f"`unrolled resume {shlex.quote(run)}`"
            print(f"unrolled: stopped at once; {how} goes on from the last checkpoint", file=sys.stderr)
        raise


class TextPrinter:
    """Messages as text: what is drawn stands alone on standard output, so that it can go into a file."""

    def __init__(self) -> None:
        self._scored: list[Piece] = []
        self._safe = sys.stdout.isatty()

    def show(self, message: Any) -> None:
        match message:
            case Piece():
                sys.stdout.write(self._words(message.text))
                sys.stdout.flush()
                if message.alternatives:
                    self._scored.append(message)
            case TextEnd():
                sys.stdout.write("\n")
                self._show_scored(message)
            case Note():
                print(self._words(message.text))
            case Translated():
                print(self._words(message.text), flush=True)
            case ParsedSentence():
                print(self._words(message.tree), flush=True)
            case Pointed():
                print(f"{message.shown}: {' '.join(map(str, message.numbers))}")
            case Serving():
                # At once, whoever reads: what comes next may take days.
                print(f"The lab is open at {message.address}\nCtrl-C closes it.", flush=True)
            case Columns() | Predicted():
                print(self._words(message.row))
            case Evaluated():
                print(f"{message.run}, {message.part} part:")
                for name, value in message.figures.items():
                    bar = f"   (bar: {message.targets[name]})" if name in message.targets else ""
                    print(f"  {name}  {value:.4f}{bar}")
            case Shown():
                from unrolled.workshop.renderings.terminal import to_terminal

                console().print(to_terminal(message.figure))
            case TextRead():
                nats = [-one for one in message.log_probabilities if one is not None]
                print(f"{message.run} read {len(message.tokens):,} symbols: {sum(nats) / len(nats):.3f} nats each")
            case Activity():
                print(f"layer {message.layer}, {message.signal}: {message.units:,} units")
            case Next():
                print("\nNext:")
                for command in message.commands:
                    print(f"  {command}")
            case _:
                raise TypeError(f"no text for a {type(message).__name__}")

    def _words(self, text: str) -> str:
        """In a terminal, nothing that a model wrote or a file holds may act on it: escapes are shown, not obeyed."""
        return printable(text) if self._safe else text

    def _show_scored(self, end: TextEnd) -> None:
        """One line a symbol: its log-probability, and what else might have come."""
        if not self._scored:
            return
        print(f"\nlog-probability {end.log_probability:.3f} nats over {end.symbols} symbols\n")
        for piece in self._scored:
            others = "  ".join(f"{one.text!r} {one.log_probability:.2f}" for one in piece.alternatives)
            print(f"{piece.log_probability:8.3f}  {piece.text!r:<8}  {others}")
        self._scored.clear()


def printable(text: str) -> str:
    """`text` with its lines and tabs, and every other control character made visible."""
    from unrolled.workshop.renderings.words import visible

    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))


def console() -> Any:
    """rich's, which leaves a reader that has gone to `main`."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Ours()
