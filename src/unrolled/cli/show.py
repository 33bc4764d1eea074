"""What an action says, shown: live in a terminal, plain text or JSON lines where there is none."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from unrolled.training.events import Event, Interrupted
from unrolled.workshop.actions import Action
from unrolled.workshop.messages import Evaluated, Next, Note, Piece, Shown, TextEnd

#: Actions whose progress is JSON lines when it goes into a pipe; what the others say is text either way.
PROGRESS = ("train", "resume")
STOPPED = 130


def show(action: Action, request: Any, as_json: bool) -> int:
    """Run the action and show each event; gives the exit code."""
    terminal = sys.stdout.isatty()
    if as_json or (action.name in PROGRESS and not terminal):
        return _show_json(action.run(request))
    if action.name in PROGRESS:
        from unrolled.cli.live import show_live

        return show_live(action.run(request))
    return _show_text(action.run(request))


def _show_json(events: Iterable[Any]) -> int:
    code = 0
    for event in events:
        print(json.dumps(event.to_dict(), ensure_ascii=False), flush=True)
        if isinstance(event, Interrupted):
            code = STOPPED
    return code


def _show_text(messages: Iterable[Any]) -> int:
    text = TextPrinter()
    for message in messages:
        text.show(message)
    return 0


class TextPrinter:
    """Messages as text: what is drawn stands alone on standard output, so that it can go into a file."""

    def __init__(self) -> None:
        self._scored: list[Piece] = []

    def show(self, message: Any) -> None:
        match message:
            case Piece():
                sys.stdout.write(message.text)
                sys.stdout.flush()
                if message.alternatives:
                    self._scored.append(message)
            case TextEnd():
                sys.stdout.write("\n")
                self._show_scored(message)
            case Note():
                print(message.text)
            case Evaluated():
                print(f"{message.run}, {message.part} part:")
                for name, value in message.figures.items():
                    bar = f"   (bar: {message.targets[name]})" if name in message.targets else ""
                    print(f"  {name}  {value:.4f}{bar}")
            case Shown():
                from unrolled.workshop.renderings.terminal import render

                _console().print(render(message.figure))
            case Next():
                print("\nNext:")
                for command in message.commands:
                    print(f"  {command}")
            case Event():
                print(json.dumps(message.to_dict(), ensure_ascii=False))

    def _show_scored(self, end: TextEnd) -> None:
        """One line a symbol: its log-probability, and what else might have come."""
        if not self._scored:
            return
        print(f"\nlog-probability {end.log_probability:.3f} nats over {end.symbols} symbols\n")
        for piece in self._scored:
            others = "  ".join(f"{one.text!r} {one.log_probability:.2f}" for one in piece.alternatives)
            print(f"{piece.log_probability:8.3f}  {piece.text!r:<8}  {others}")
        self._scored.clear()


def _console() -> Any:
    from rich.console import Console

    return Console()
