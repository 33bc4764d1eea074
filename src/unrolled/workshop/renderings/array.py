"""A figure's numbers as one array, for a file that NumPy reads."""

from __future__ import annotations

import numpy as np

from unrolled.figures import Cell, ColouredText, Curves, Figure, HeatMap, Points, Series, Table, Tree


def to_array(figure: Figure) -> np.ndarray:
    """float64. What is not a number is NaN, and so is what fills up a shorter line.

    A heat map and a table: (rows, columns). A coloured text: (tokens,). Curves and points: (series, 2, points). A tree:
    (nodes,), the parent of each, -1 for the root.
    """
    match figure:
        case HeatMap():
            return np.array(figure.values, float).reshape(len(figure.rows), len(figure.columns))
        case ColouredText():
            return np.array(figure.values, float)
        case Tree():
            return np.array(figure.parents, float)
        case Curves() | Points():
            return _lines(figure.series)
        case Table():
            numbers = [[_number(cell) for cell in row] for row in figure.rows]
            return np.array(numbers, float).reshape(len(figure.rows), len(figure.columns))
    raise TypeError(f"no array for a {type(figure).__name__}")


def _lines(series: tuple[Series, ...]) -> np.ndarray:
    filled = np.full((len(series), 2, max((len(one.x) for one in series), default=0)), np.nan)
    for number, one in enumerate(series):
        filled[number, :, : len(one.x)] = one.x, one.y
    return filled


def _number(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) else float("nan")
