"""Ticks, numbers and words."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from unrolled.figures import Series
from unrolled.workshop.renderings.scales import MOST_TICKS, axis, cut, square_axes
from unrolled.workshop.renderings.words import number, short_number, shorten, visible


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=8), st.integers(2, 8), st.booleans())
def test_a_linear_axis_holds_its_values_and_has_ticks_in_order(values, ticks, tight):
    made = axis(values, log=False, ticks=ticks, tight=tight)
    room = 1e-6 * (made.high - made.low)
    assert made.low - room <= min(values) <= max(values) <= made.high + room
    places = [made.place(value) for value, _ in made.ticks]
    assert places == sorted(set(places))
    assert all(-1e-6 <= place <= 1 + 1e-6 for place in places)
    assert len(places) <= MOST_TICKS + 1
    assume(max(values) - min(values) > 1e-6 * max(map(abs, values)))
    assert len(places) >= 1


@given(st.lists(st.floats(1e-149, 1e149), min_size=1, max_size=8), st.booleans())
def test_a_logarithmic_axis_holds_its_values(values, tight):
    made = axis([*values, 0.0, -5.0, math.nan, math.inf], log=True, ticks=5, tight=tight)
    assert made.low * (1 - 1e-6) <= min(values) <= max(values) <= made.high * (1 + 1e-6)
    assert all(math.isfinite(made.place(value)) for value in values)
    assert all(math.isfinite(made.place(tick)) for tick, _ in made.ticks)
    assert math.isnan(made.place(0.0))


def test_ticks_are_round_and_written_alike():
    assert [w for _, w in axis([0.0, 2000.0], log=False, ticks=5).ticks] == ["0", "500", "1,000", "1,500", "2,000"]
    assert [w for _, w in axis([1.3, 1.72], log=False, ticks=4).ticks] == ["1.2", "1.4", "1.6", "1.8"]
    assert [w for _, w in axis([-1.0, 1.0], log=False, ticks=4).ticks] == ["−1.0", "−0.5", "0", "0.5", "1.0"]
    assert [w for _, w in axis([0.5, 30.0], log=True, ticks=5).ticks] == ["0.5", "1", "2", "5", "10", "20", "50"]
    assert [w for _, w in axis([1e-4, 1e3], log=True, ticks=5).ticks][0::7] == ["0.0001", "1000"]


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf], [1e200, -1e308]])
def test_without_values_there_is_no_axis(values):
    assert axis(values, log=False, ticks=4) is None
    assert axis([-1.0, 0.0], log=True, ticks=4) is None


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [-3e-9], [1e149, -1e149], [1e140], [5e-324, 0.0]])
def test_values_that_leave_no_room_get_some(values):
    made = axis(values, log=False, ticks=4)
    assert made.low < made.high
    assert all(0 <= made.place(value) <= 1 for value in values)
    assert math.isnan(made.place(1e308))


@pytest.mark.parametrize(
    ("value", "written", "short"),
    [
        (1.4532, "1.453", "1.453"),
        (1.45, "1.450", "1.45"),
        (0.021, "0.02100", "0.021"),
        (12500, "12,500", "12,500"),
        (12500.4, "12,500", "12,500"),
        (100.0, "100.0", "100"),
        (3.2e-07, "3.2e-07", "3.2e-07"),
        (2.5e9, "2.5e+09", "2.5e+09"),
        (-0.5, "−0.5000", "−0.5"),
        (-3.2e-07, "−3.2e-07", "−3.2e-07"),
        (0.0, "0", "0"),
        (math.nan, "–", "–"),
        (math.inf, "∞", "∞"),
        (-math.inf, "−∞", "−∞"),
    ],
)
def test_numbers_are_written_with_four_digits(value, written, short):
    assert number(value) == written
    assert short_number(value) == short


def test_what_cannot_be_seen_is_made_visible():
    assert visible("a\nb\tc\x1b[0m\x00\x7f") == "a⏎b⇥c␛[0m␀␡"
    assert visible("\ud800\ufffe\u202e\u200b\u2028\x85") == "\ufffd" * 6
    assert visible("naïve 日本 👩\u200d💻 \u00a0") == "naïve 日本 👩\u200d💻 \u00a0"


@given(st.text(max_size=30), st.integers(1, 20))
def test_shortened_text_fits(text, width):
    from rich.cells import cell_len

    shown = shorten(visible(text), width)
    assert cell_len(shown) <= width
    assert shown == visible(text) or shown.endswith("…")


far = st.floats(-3, 3)


@given(st.lists(st.tuples(far, far), min_size=2, max_size=6))
def test_a_line_is_cut_at_the_edges_of_the_unit_square(points):
    kept = cut(points)
    strokes, stroke = [], []
    for x, y in [*kept, (math.nan, math.nan)]:
        if math.isnan(x):
            strokes.append(stroke)
            stroke = []
        else:
            assert 0 <= x <= 1 and 0 <= y <= 1
            stroke.append((x, y))
    # What is kept is as long as the part of the line that lies inside, found by walking along it.
    length = sum(math.dist(a, b) for stroke in strokes for a, b in pairwise(stroke))
    walked = 0.0
    for (ax, ay), (bx, by) in pairwise(points):
        shares = [(i + 0.5) / 2000 for i in range(2000)]
        inside = sum(0 <= ax + s * (bx - ax) <= 1 and 0 <= ay + s * (by - ay) <= 1 for s in shares)
        walked += inside / 2000 * math.dist((ax, ay), (bx, by))
    assert length == pytest.approx(walked, abs=0.01 * len(points))


def test_what_is_kept_of_a_line_by_hand():
    nan = (math.nan, math.nan)
    assert cut([(0.5, 0.5), (1.5, 0.5), (1.5, 0.25), (0.5, 0.25)])[:2] == [(0.5, 0.5), (1.0, 0.5)]
    assert str(cut([(0.5, 0.5), (1.5, 0.5), (1.5, 0.25), (0.5, 0.25)])[2:]) == str([nan, (1.0, 0.25), (0.5, 0.25)])
    assert cut([(0.2, 0.3)]) == [(0.2, 0.3), (0.2, 0.3)]
    assert cut([(0.2, 0.3), nan, (0.1, 0.1)]) == cut([(1.2, 0.3), (1.1, 9.0)]) == cut([]) == []


@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=5))
def test_square_axes_are_equally_long_and_hold_every_point_that_has_a_place(points):
    made = square_axes([Series("a", *(tuple(p[i] for p in points) for i in (0, 1)))], ticks=5)
    held = [p for p in points if all(abs(v) < 1e150 for v in p)]
    assert (made is None) == (not held)
    if made is not None:
        across, up = made
        assert across.high - across.low == pytest.approx(up.high - up.low, rel=1e-6)
        for x, y in held:
            assert 0 <= across.place(x) <= 1 and 0 <= up.place(y) <= 1
