"""Colours: readable on their ground, told apart by colour-blind eyes, lightness in one direction."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from unrolled.workshop.renderings.palette import (
    DIVERGING,
    HIGHLIGHT,
    INK,
    LINES,
    MUTED,
    PAPER,
    SEQUENTIAL,
    TERMINAL_HIGHLIGHT,
    TERMINAL_LINES,
    TERMINAL_TWO_HIGHLIGHTS,
    TWO_HIGHLIGHTS,
    mix,
)

# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB.
DEFICIENCIES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "none": np.eye(3).tolist(),
}


def linear(colour: str) -> np.ndarray:
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    """WCAG 2: from 1 to 21."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB under D65, from linear RGB."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb.clip(0, 1)
    t = xyz / [0.95047, 1.0, 1.08883]
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_lines_are_told_apart(deficiency):
    for colours in (LINES, TERMINAL_LINES[:-1]):  # the last is the terminal's own
        seen = [lab(np.array(DEFICIENCIES[deficiency]) @ linear(colour)) for colour in colours]
        assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 12


def test_words_are_readable_on_every_ground():
    assert contrast(INK, PAPER) > 7
    assert contrast(MUTED, PAPER) > 4.5
    for colours in (HIGHLIGHT, TERMINAL_HIGHLIGHT, TWO_HIGHLIGHTS, TERMINAL_TWO_HIGHLIGHTS):
        assert min(contrast(INK, mix(colours, i / 50)) for i in range(51)) > 4.5
    assert min(contrast(colour, PAPER) for colour in LINES) > 2.7


def test_scales_run_one_way_in_lightness():
    values = [luminance(mix(SEQUENTIAL, i / 40)) for i in range(41)]
    assert values == sorted(values, reverse=True)
    half = [luminance(mix(DIVERGING, i / 40)) for i in range(41)]
    assert half[:21] == sorted(half[:21])
    assert half[20:] == sorted(half[20:], reverse=True)


def test_two_highlights_are_palest_at_zero_and_as_strong_on_both_sides():
    values = [luminance(mix(TWO_HIGHLIGHTS, i / 40)) for i in range(41)]
    assert values[:21] == sorted(values[:21])
    assert values[20:] == sorted(values[20:], reverse=True)
    assert values[0] == pytest.approx(values[-1], abs=0.05)
