"""Trees: as SVG with every word on the bottom line, and as indented lines for a terminal."""

from __future__ import annotations

from unrolled.figures import Tree
from unrolled.workshop.renderings.drawing import EDGE, TOP, WIDTH, sans_width, titled
from unrolled.workshop.renderings.palette import INK, LINES, MUTED
from unrolled.workshop.renderings.words import shorten, visible

#: Between the base lines of two levels, and between neighbours.
LEVEL, GAP = 46.0, 16.0
SIZE = 13.0


def draw_tree(figure: Tree) -> str:
    """Each phrase over the middle of what is below it; a dotted line leads down to a word from higher up."""
    drawing = titled(figure.title)
    below = children(figure)
    depths = _depths(figure)
    labels = [shorten(visible(label), 30) for label in figure.labels]
    bottom = TOP + 14 + LEVEL * max(depths)
    places = _places(below, labels)
    width = max(places[number] + sans_width(label, SIZE) / 2 for number, label in enumerate(labels)) + EDGE
    for number, parent in enumerate(figure.parents):
        if parent < 0:
            continue
        leaf = not below[number]
        above = TOP + 14 + LEVEL * depths[parent]
        far = leaf and depths[parent] + 1 < max(depths)
        # A word is reached from straight above, so that no line crosses what is below the word's neighbours.
        points = [(places[parent], above + 6), (places[number], above + LEVEL - SIZE - 1)]
        drawing.line(
            [*points, (places[number], bottom - SIZE - 1)] if far else points,
            stroke=MUTED,
            stroke_width=1.2,
            stroke_dasharray="2 3" if far else None,
        )
    for number, label in enumerate(labels):
        leaf = not below[number]
        y = bottom if leaf else TOP + 14 + LEVEL * depths[number]
        colour, weight = (INK, None) if leaf else (LINES[0], 600)
        drawing.text(places[number], y, label, size=SIZE, fill=colour, anchor="middle", weight=weight)
    title = sans_width(shorten(visible(figure.title), 76), 16) + 2 * EDGE
    return drawing.document(max(width, min(title, WIDTH)), bottom + EDGE)


def tree_lines(figure: Tree) -> list[str]:
    """One line a phrase, indented below the one above it, with the words directly in it behind its label."""
    below = children(figure)
    lines: list[str] = []

    def write(number: int, first: str, rest: str) -> None:
        inside = below[number]
        label = visible(figure.labels[number])
        if inside and not any(below[child] for child in inside):
            # Nothing but words below.
            lines.append(f"{first}{label}  {' '.join(visible(figure.labels[child]) for child in inside)}")
            return
        lines.append(first + label)
        for child in inside:
            last = child == inside[-1]
            write(child, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))

    write(0, "", "")
    return lines


def children(figure: Tree) -> list[list[int]]:
    """For each node those below it, from left to right."""
    below: list[list[int]] = [[] for _ in figure.parents]
    for number, parent in enumerate(figure.parents):
        if parent >= 0:
            below[parent].append(number)
    return below


def _depths(figure: Tree) -> list[int]:
    depths: list[int] = []
    for parent in figure.parents:
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
    return depths


def _places(below: list[list[int]], labels: list[str]) -> list[float]:
    """The middle of each node: words side by side, as far apart as they are wide, phrases over the middle of theirs."""
    places = [0.0] * len(labels)
    edge = EDGE
    for number, inside in enumerate(below):
        if not inside:
            half = sans_width(labels[number], SIZE) / 2
            # A phrase over one word may be wider than it.
            half = max(half, 12.0)
            places[number] = edge + half
            edge += 2 * half + GAP
    for number in reversed(range(len(labels))):
        if below[number]:
            places[number] = (places[below[number][0]] + places[below[number][-1]]) / 2
    return places
