"""Stopping at a text, while the text is still coming in pieces."""

from __future__ import annotations

from collections.abc import Sequence

from unrolled.errors import OptionError


class StopTexts:
    """Passes text through up to the first of some stop texts, and never shows a part of one.

    Whichever stop text is complete first wins; of two complete at the same character, the longer. However the text is
    cut into pieces, the same comes out.

        stop = StopTexts(["\\n\\n"])
        for piece in pieces:
            write(stop.feed(piece))
            if stop.found is not None:
                break
        write(stop.rest())
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if isinstance(stops, str) or any(not stop for stop in stops):
            raise OptionError(f"stop texts are a list of texts, none of them empty; {stops!r} came")
        self._stops = tuple(stops)
        self._held = ""
        #: The stop text that was found.
        self.found: str | None = None

    def feed(self, piece: str) -> str:
        """What of the text so far can be shown now and was not shown before; empty once a stop text was found."""
        if self.found is not None:
            return ""
        text = self._held + piece
        ends = [(text.find(stop) + len(stop), -len(stop), stop) for stop in self._stops if stop in text]
        if ends:
            end, minus_length, self.found = min(ends)
            self._held = ""
            return text[: end + minus_length]
        keep = self._could_still_match(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """What was held back because it began like a stop text, for when no more comes."""
        held, self._held = self._held, ""
        return held

    def _could_still_match(self, text: str) -> int:
        """Characters at the end of `text` that begin a stop text: as many as possible."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for size in range(min(longest, len(text)), 0, -1):
            end = text[-size:]
            if any(stop.startswith(end) for stop in self._stops):
                return size
        return 0
