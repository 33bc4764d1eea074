"""Renderings: geometry read back from the SVG, hostile texts, what a terminal of any width gets to see."""

from __future__ import annotations

import io
import math
import re
import unicodedata
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from unrolled.figures import Band, ColouredText, Curves, HeatMap, Points, Series, Table, Tree
from unrolled.workshop.renderings.braille import Canvas
from unrolled.workshop.renderings.palette import (
    ABSENT,
    DIVERGING,
    SEQUENTIAL,
    TERMINAL_HIGHLIGHT,
    TERMINAL_TWO_HIGHLIGHTS,
    TWO_HIGHLIGHTS,
    mix,
)
from unrolled.workshop.renderings.svg import to_svg
from unrolled.workshop.renderings.terminal import to_terminal

NS = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script> & \"'\x1b[31m\x00\x07]]>\ud800\ufffe\u202e[bold]x[/bold]\u2028</svg>"

words = st.one_of(st.text(max_size=12), st.just(HOSTILE))
numbers = st.one_of(st.floats(), st.floats(-10, 10))


def _columns(n, part):
    return st.lists(part, min_size=n, max_size=n).map(tuple)


series = st.integers(0, 6).flatmap(lambda n: st.builds(Series, words, _columns(n, numbers), _columns(n, numbers)))
bands = st.integers(0, 6).flatmap(
    lambda n: st.builds(Band, words, *(_columns(n, numbers) for _ in range(3)), st.one_of(words, st.just("a")))
)
figures = st.one_of(
    st.builds(
        Curves,
        words,
        st.lists(series, max_size=3).map(tuple),
        words,
        words,
        st.booleans(),
        st.booleans(),
        st.lists(bands, max_size=2).map(tuple),
    ),
    st.builds(
        Points, words, st.lists(series, max_size=3).map(tuple), words, words, st.lists(series, max_size=1).map(tuple)
    ),
    st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 5, 90])).flatmap(
        lambda shape: st.builds(
            HeatMap,
            words,
            _columns(shape[0], st.builds(lambda v: (v,) * shape[1], numbers)),
            _columns(shape[0], words),
            st.builds(lambda w: (w,) * shape[1], words),
            words,
            st.lists(series, max_size=2).map(tuple),
        )
    ),
    st.integers(0, 8).flatmap(
        lambda n: st.builds(ColouredText, words, _columns(n, words), _columns(n, numbers), st.just((0.0, 3.0)), words)
    ),
    st.integers(0, 5).flatmap(
        lambda n: st.builds(
            Table,
            words,
            _columns(n, words),
            st.lists(_columns(n, st.one_of(st.none(), words, st.integers(), numbers)), max_size=4).map(tuple),
        )
    ),
    st.builds(lambda title, labels: Tree(title, labels, (-1, 0, 1, 1, 0)), words, _columns(5, words)),
)


def parse(document: str) -> ElementTree.Element:
    return ElementTree.fromstring(document)


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{NS}text")]


# A failing figure is not shrunk: that takes minutes, and the figure that came is as good.
@settings(deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(figures)
def test_svg_is_well_formed_and_finite_whatever_the_figure(figure):
    document = to_svg(figure)
    root = parse(document)
    assert root.tag == f"{NS}svg"
    assert {element.tag for element in root.iter()} <= {
        NS + tag for tag in ("svg", "title", "style", "rect", "text", "path", "circle")
    }
    for element in root.iter():
        for name, value in element.attrib.items():
            assert name == "aria-label" or not re.search(r"nan|inf", value, re.IGNORECASE), (name, value)
    document.encode("utf-8")
    assert to_svg(figure) == document


# A failing figure is not shrunk: that takes minutes, and the figure that came is as good.
@settings(deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(figures, st.integers(30, 130))
def test_a_terminal_gets_no_control_characters_and_no_line_wider_than_it_is(figure, width):
    console = Console(width=width, file=io.StringIO(), force_terminal=False, color_system=None)
    console.print(to_terminal(figure))
    written = console.file.getvalue()
    for line in written.split("\n"):
        assert cell_len(line) <= width
        assert not [c for c in line if unicodedata.category(c) in ("Cc", "Cs")]


def test_hostile_words_are_shown_and_do_nothing():
    table = Table(HOSTILE, (HOSTILE,), ((HOSTILE,),))
    root = parse(to_svg(table))
    assert "<script>alert(1)</script> & \"'␛[31m␀␇]]>" in " ".join(texts(root))
    assert not list(root.iter(f"{NS}script"))
    console = Console(width=120, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(to_terminal(table))
    written = console.file.getvalue()
    assert written.count("[bold]x[/bold]") == 3  # title, head and cell
    assert "\x1b[31m" not in written
    assert "\u202e" not in written


# Curves


def _path_points(element: ElementTree.Element) -> list[list[tuple[float, float]]]:
    strokes = element.attrib["d"].split("M")[1:]
    return [[tuple(map(float, point.split())) for point in stroke.split("L")] for stroke in strokes]


def _lines(root: ElementTree.Element) -> list[list[list[tuple[float, float]]]]:
    return [_path_points(e) for e in root.iter(f"{NS}path") if e.attrib.get("stroke-linejoin") == "round"]


def _tick_places(root: ElementTree.Element) -> tuple[dict[str, float], dict[str, float]]:
    """Written → x of the ticks below, and written → y of those at the left."""
    below, left = {}, {}
    for element in root.iter(f"{NS}text"):
        if element.attrib.get("text-anchor") == "middle":
            below[element.text] = float(element.attrib["x"])
        elif element.attrib.get("text-anchor") == "end" and re.fullmatch(r"[−\d.,]+", element.text):
            left[element.text] = float(element.attrib["y"]) - 4
    return below, left


def test_a_point_stands_where_its_ticks_say():
    figure = Curves("t", (Series("a", (0.0, 10.0, 20.0), (1.0, 3.0, 2.5)),), "step", "loss")
    root = parse(to_svg(figure))
    below, left = _tick_places(root)
    ((points,),) = _lines(root)
    for (x, y), (want_x, want_y) in zip(points, [("0", 1.0), ("10", 3.0), ("20", 2.5)], strict=True):
        assert x == pytest.approx(below[want_x], abs=0.02)
        # Between the ticks 1 and 3, in proportion.
        low, high = left["1.0"], left["3.0"]
        assert y == pytest.approx(low + (want_y - 1) / 2 * (high - low), abs=0.02)
    assert left["3.0"] < left["1.0"]


def test_logarithmic_axes_give_equal_ratios_equal_room():
    figure = Curves("t", (Series("a", (1.0, 10.0, 100.0, 1000.0), (0.01, 1.0, 100.0, 10000.0)),), "x", "y", True, True)
    ((points,),) = _lines(parse(to_svg(figure)))
    steps = {(round(b[0] - a[0], 1), round(b[1] - a[1], 1)) for a, b in pairwise(points)}
    assert len(steps) == 1


def test_gaps_break_a_line_and_what_a_logarithm_cannot_hold_is_left_out():
    figure = Curves("t", (Series("a", (0.0, 1.0, 2.0, 3.0, 4.0), (1.0, 2.0, math.nan, 2.0, 1.0)),), "x", "y")
    (strokes,) = _lines(parse(to_svg(figure)))
    assert [len(stroke) for stroke in strokes] == [2, 2]
    figure = Curves("t", (Series("a", (0.0, 1.0, 2.0), (1.0, -1.0, 4.0)),), "x", "y", y_log=True)
    (strokes,) = _lines(parse(to_svg(figure)))
    assert [len(stroke) for stroke in strokes] == [1, 1]


@pytest.mark.parametrize("end", [0.0, 1.0])  # crowded at the foot of the plot, and at its head
def test_names_at_the_ends_of_lines_do_not_touch_keep_their_order_and_stay_beside_the_plot(end):
    step = 1e-3 if end == 0 else -1e-3
    many = tuple(Series(f"line {i}", (0.0, 1.0), (1 - end, end + i * step)) for i in range(8))
    root = parse(to_svg(Curves("t", many, "x", "y")))
    places = {e.text: float(e.attrib["y"]) for e in root.iter(f"{NS}text") if (e.text or "").startswith("line ")}
    heights = [places[f"line {i}"] for i in range(8)]
    if end == 0:
        heights.reverse()
    assert all(b - a >= 15.9 for a, b in pairwise(heights))
    ticks = _tick_places(root)[1].values()
    assert min(ticks) - 0.01 <= heights[0] - 4 <= heights[-1] - 4 <= max(ticks) + 0.01


def test_a_line_to_compare_with_is_dotted_in_the_colour_of_what_it_stands_beside():
    places = (0.0, 1.0), (0.0, 1.0)
    many = [Series(f"line {i}", *places) for i in range(8)]
    bounds = [Series("bound 2", *places, beside="line 2"), Series("floor", *places, beside="loss")]
    root = parse(to_svg(Curves("t", (*many[:2], *bounds, *many[2:]), "x", "y")))
    paths = [e for e in root.iter(f"{NS}path") if e.attrib.get("stroke-width") == "2.2"]
    styles = [(path.attrib["stroke"], path.attrib.get("stroke-dasharray")) for path in paths]
    own = styles[:2] + styles[4:]
    # A bound takes no colour from the others, of which the eighth begins anew, in dashes.
    assert len({colour for colour, _ in own}) == 7 and own[0] != own[7] == (own[0][0], "7 5")
    assert all(dashes is None for _, dashes in own[:7])
    assert styles[2] == (own[2][0], "2 5")
    assert styles[3][1] == "2 5" and styles[3][0] not in {colour for colour, _ in own}


def test_a_single_line_needs_no_name_beside_it():
    assert "only" not in texts(parse(to_svg(Curves("t", (Series("only", (0.0, 1.0), (0.0, 1.0)),), "x", "y"))))


def test_a_band_lies_beneath_its_line_in_the_same_colour_and_is_named():
    line = Series("a", (0.0, 1.0, 2.0), (1.0, 2.0, 3.0))
    band = Band("80%", (0.0, 1.0, 2.0), (1.0, math.nan, 2.0), (1.0, 3.0, 9.0), "a")
    figure = Curves("t", (line,), "x", "y", bands=(band,))
    root = parse(to_svg(figure))
    filled = [one for one in root.iter() if one.get("fill-opacity") == "0.16"]
    strokes = [one.get("stroke") for one in root.iter() if one.get("stroke-width") == "2.2"]
    assert [one.get("fill") for one in filled] == strokes
    # The place that is not known is left out: two corners above, two below.
    assert filled[0].get("d").count("L") == 3
    assert {"80%", "a"} <= set(texts(root)) and "10" in texts(root)  # the axis reaches the band
    console = Console(file=io.StringIO(), width=80)
    console.print(to_terminal(figure))
    shown = console.file.getvalue()
    assert "━━ 80%" in shown and "━━ a" in shown


def test_no_data_is_said():
    empty = Curves("t", (Series("a", (1.0,), (math.nan,)),), "x", "y")
    assert "no data yet" in texts(parse(to_svg(empty)))
    console = Console(width=60, file=io.StringIO())
    console.print(to_terminal(empty))
    assert "no data yet" in console.file.getvalue()


def test_braille_dots_are_where_the_line_goes():
    canvas = Canvas(2, 2)
    canvas.line([(0.0, 0.0), (1.0, 1.0)], 0)  # 4 × 8 dots, from below left to above right
    assert [character for character, _ in canvas.row(0)] == [" ", "⡜"] or _dots(canvas) == {
        (round(3 * t), round(7 * (1 - t))) for t in [i / 7 for i in range(8)]
    }
    canvas = Canvas(3, 1)
    canvas.line([(0.0, 1.0), (1.0, 1.0)], 0)
    assert "".join(character for character, _ in canvas.row(0)) == "⠉⠉⠉"
    canvas.line([(0.0, 0.0), (math.nan, 0.0), (1.0, 0.0)], 1)
    assert canvas.row(0) == [("⡉", 1), ("⠉", 0), ("⢉", 1)]


def _dots(canvas: Canvas) -> set[tuple[int, int]]:
    """(x, y) of every dot, read from the Unicode names, which number the dots 1 to 8."""
    where = {1: (0, 0), 2: (0, 1), 3: (0, 2), 4: (1, 0), 5: (1, 1), 6: (1, 2), 7: (0, 3), 8: (1, 3)}
    found = set()
    for row in range(canvas.rows):
        for column, (character, _) in enumerate(canvas.row(row)):
            if character != " ":
                for digit in unicodedata.name(character).rsplit("-", 1)[1]:
                    x, y = where[int(digit)]
                    found.add((2 * column + x, 4 * row + y))
    return found


def test_a_plot_in_the_terminal_rises_where_the_numbers_rise():
    figure = Curves("t", (Series("a", tuple(map(float, range(50))), tuple(map(float, range(50)))),), "step", "loss")
    console = Console(width=70, file=io.StringIO())
    console.print(to_terminal(figure))
    lines = [line for line in console.file.getvalue().split("\n") if "│" in line or "┤" in line]
    starts = [next((i for i, c in enumerate(line) if "\u2800" <= c <= "\u28ff"), None) for line in lines]
    assert len(lines) == 14
    # The axis goes up to 60, so that the highest rows stay empty.
    drawn = [start for start in starts if start is not None]
    assert starts[-len(drawn) :] == drawn
    assert len(drawn) >= 10
    assert drawn == sorted(set(drawn), reverse=True)


# Points


def _circle(root: ElementTree.Element) -> dict[str, tuple[float, float]]:
    """Tip → place of each dot."""
    dots = [e for e in root.iter(f"{NS}circle") if e.find(f"{NS}title") is not None]
    return {e.find(f"{NS}title").text: (float(e.attrib["cx"]), float(e.attrib["cy"])) for e in dots}


@pytest.mark.parametrize("reach", [1.0, 3.7])
def test_in_a_plane_a_unit_is_equally_long_in_both_directions_and_ticks_say_where(reach):
    dots = Series("a", (0.0, 1.0, 0.0, reach), (0.0, 0.0, 1.0, 0.5))
    unit = tuple(2 * math.pi * i / 40 for i in range(41))
    circle = Series("unit circle", tuple(map(math.cos, unit)), tuple(map(math.sin, unit)))
    root = parse(to_svg(Points("t", (dots,), "real", "imaginary", (circle,))))
    places = _circle(root)
    (x0, y0), (x1, _), (_, y1) = (places[f"a: {where}"] for where in ("0, 0", "1.000, 0", "0, 1.000"))
    length = x1 - x0
    assert length > 20
    assert y0 - y1 == pytest.approx(length, abs=0.03)
    assert places[f"a: {reach:.3f}, 0.5000"][0] == pytest.approx(x0 + reach * length, abs=0.05)
    below, left = _tick_places(root)
    assert below["0"] == pytest.approx(x0, abs=0.06)
    assert left["0"] == pytest.approx(y0, abs=0.06)
    ((line,),) = _lines(root)
    assert all(math.hypot(x - x0, y - y0) == pytest.approx(length, abs=0.05) for x, y in line)
    assert {"a", "unit circle", "real", "imaginary"} <= set(texts(root))


def test_a_point_that_has_no_place_is_left_out_and_two_sets_have_two_colours():
    figure = Points(
        "t", (Series("a", (0.0, math.nan, math.inf), (0.0, 1.0, 1.0)), Series("b", (1.0,), (1.0,))), "x", "y"
    )
    dots = [e for e in parse(to_svg(figure)).iter(f"{NS}circle") if e.find(f"{NS}title") is not None]
    assert len(dots) == 2
    assert dots[0].attrib["fill"] != dots[1].attrib["fill"]
    assert "no data yet" in texts(parse(to_svg(Points("t", (Series("a", (math.nan,), (1.0,)),), "x", "y"))))


def test_points_in_a_terminal_are_not_joined_and_stand_in_a_square():
    figure = Points("t", (Series("a", (0.0, 1.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)),), "x", "y")
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(to_terminal(figure))
    lines = [re.split("[│┤]", line)[1] for line in console.file.getvalue().split("\n") if "│" in line or "┤" in line]
    drawn = [(i, j) for i, line in enumerate(lines) for j, c in enumerate(line) if "\u2800" < c <= "\u28ff"]
    assert len(drawn) == 4
    (top, left), (_, right), (bottom, _), _ = drawn
    assert drawn == [(top, left), (top, right), (bottom, left), (bottom, right)]
    # A character is twice as high as it is wide.
    assert right - left == pytest.approx(2 * (bottom - top), abs=2)
    assert right - left > 30
    narrow = Console(width=30, file=io.StringIO(), color_system=None)
    narrow.print(to_terminal(Points("t", (Series("a", (math.nan,), (0.0,)),), "x", "y")))
    assert "no data yet" in narrow.file.getvalue()


# Heat map and text


def _map(*paths: Series) -> HeatMap:
    rows, columns = tuple(f"r{i}" for i in range(4)), tuple(f"c{j}" for j in range(10))
    return HeatMap("h", ((1.0, *(0.0,) * 9),) * 4, rows, columns, "v", paths)


def test_a_path_goes_through_the_cells_it_names_and_ends_at_the_edge_of_the_map():
    root = parse(
        to_svg(_map(Series("way", (0.0, 2.0, 2.0), (0.0, 0.0, 9.0)), Series("gone", (30.0, 40.0), (1.0, 2.0))))
    )
    cells = {}
    for e in root.iter(f"{NS}rect"):
        if e.find(f"{NS}title") is not None:
            x, y, w, h = (float(e.attrib[name]) for name in ("x", "y", "width", "height"))
            cells[e.find(f"{NS}title").text.split(":")[0]] = (x, y, w, h)
    beneath, above = _lines(root)  # the pale one, and the one that is seen; nothing of the path that is all outside
    assert beneath == above
    (points,) = above
    x, y, w, h = cells["r0, c0"]
    assert points[0] == pytest.approx((x + w / 2, y + h / 2), abs=1)
    x, y, w, h = cells["r0, c2"]
    assert points[1] == pytest.approx((x + w / 2, y + h / 2), abs=1)
    x, y, w, h = cells["r3, c2"]
    assert points[2] == pytest.approx((x + w / 2, y + h), abs=2)
    assert len(points) == 3
    assert {"way", "gone"} <= set(texts(root))


def test_a_path_over_a_heat_map_in_a_terminal():
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(to_terminal(_map(Series("down", (2.0, 2.0), (0.0, 2.0)))))
    lines = console.file.getvalue().split("\n")
    drawn = [[j for j, c in enumerate(line) if "\u2800" < c <= "\u28ff"] for line in lines[2:6]]
    head = lines[1].index("c2")
    each = lines[1].index("c3") - head
    assert [len(row) for row in drawn] == [1, 1, 1, 0]
    assert all(head <= row[0] < head + each for row in drawn[:3])
    assert "━━ down" in console.file.getvalue()


def test_heat_map_colours_follow_the_values_and_zero_is_the_middle():
    root = parse(to_svg(HeatMap("h", ((-2.0, 0.0, 1.0), (math.nan, 2.0, -1.0)), ("r", "s"), ("a", "b", "c"), "v")))
    cells = {
        e.find(f"{NS}title").text: e.attrib["fill"] for e in root.iter(f"{NS}rect") if e.find(f"{NS}title") is not None
    }
    assert cells["r, a: −2.000"] == DIVERGING[0]
    assert cells["r, b: 0"] == DIVERGING[2]
    assert cells["s, b: 2.000"] == DIVERGING[4]
    assert cells["r, c: 1.000"] == DIVERGING[3]
    assert cells["s, a: –"] not in DIVERGING
    root = parse(to_svg(HeatMap("h", ((-4.0, 2.0),), ("r",), ("a", "b"), "v")))
    fills = [e.attrib["fill"] for e in root.iter(f"{NS}rect") if e.find(f"{NS}title") is not None]
    assert fills == [DIVERGING[0], DIVERGING[3]]
    root = parse(to_svg(HeatMap("h", ((3.0, 5.0),), ("r",), ("a", "b"), "v")))
    fills = [e.attrib["fill"] for e in root.iter(f"{NS}rect") if e.find(f"{NS}title") is not None]
    assert fills == [SEQUENTIAL[0], SEQUENTIAL[-1]]


def test_what_the_numbers_of_a_small_heat_map_are_is_not_cut_off():
    label = "a long name of what these numbers are, and of their unit"
    root = parse(to_svg(HeatMap("h", ((0.0123, 1.0),), ("r",), ("a", "b"), label)))
    (last,) = (e for e in root.iter(f"{NS}text") if e.text == label)
    assert float(root.attrib["width"]) > float(last.attrib["x"]) + 5 * len(label)


def test_cells_too_small_to_point_at_are_one_mark_for_each_run_of_a_shade():
    values = (*(0.0,) * 50, *(1.0,) * 30, math.nan, *(0.0,) * 19)
    root = parse(to_svg(HeatMap("h", (values,), ("r",), tuple(map(str, range(100))), "v")))
    marks = [e.attrib for e in root.iter(f"{NS}rect") if e.attrib["fill"] in (SEQUENTIAL[0], SEQUENTIAL[-1], ABSENT)]
    marks = [mark for mark in marks if mark["height"] == "10.4"]
    assert [mark["fill"] for mark in marks] == [SEQUENTIAL[0], SEQUENTIAL[-1], ABSENT, SEQUENTIAL[0]]
    side = (float(marks[1]["x"]) - float(marks[0]["x"])) / 50
    for mark, count in zip(marks, (50, 30, 1, 19), strict=True):
        assert float(mark["width"]) == pytest.approx(count * side + 0.4, abs=0.02)
    assert float(marks[3]["x"]) == pytest.approx(float(marks[0]["x"]) + 81 * side, abs=0.02)


def test_columns_that_have_no_room_in_a_terminal_share_cells():
    figure = HeatMap("h", (tuple(map(float, range(100))),), ("r",), tuple(f"c{i}" for i in range(100)), "v")
    console = Console(width=30, file=io.StringIO())
    console.print(to_terminal(figure))
    written = console.file.getvalue()
    assert "each cell is the mean of 4 columns" in " ".join(written.split())
    assert re.search(r"c0 +c99", written)


def _styled(figure) -> list[tuple[str, str | None]]:
    """(text, background) of each run of letters in the terminal's rendering."""
    console = Console(width=80, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    lines = console.render_lines(to_terminal(figure), pad=False)
    found = []
    for line in lines:
        for text, style, _ in line:
            found.append((text, None if style is None or style.bgcolor is None else style.bgcolor.triplet.hex))
    return found


def test_words_are_coloured_by_their_numbers_and_the_text_stays_whole():
    figure = ColouredText("t", ("calm ", "sur", "prised", "\n", "end"), (math.nan, 0.1, 9.0, 0.0, 3.0), (0.0, 3.0), "v")
    styled = dict(_styled(figure))
    assert styled["calm sur"] is None
    # Both at the end of the scale, or beyond it.
    assert styled["prised"] == styled["end"] == TERMINAL_HIGHLIGHT[-1]
    drawn = parse(to_svg(figure))
    tips = [e.text for e in drawn.iter(f"{NS}title")][1:]
    assert tips == ["calm   –", "sur  0.1000", "prised  9.000", "⏎  0", "end  3.000"]
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(to_terminal(figure))
    assert [line.rstrip() for line in console.file.getvalue().split("\n")[1:3]] == ["calm surprised", "end"]


def test_a_scale_about_zero_has_a_colour_for_each_side():
    figure = ColouredText("t", ("low", "none", "high"), (-3.0, 0.2, 3.0), (-3.0, 3.0), "v")
    styled = dict(_styled(figure))
    assert styled["low"] == TERMINAL_TWO_HIGHLIGHTS[0] and styled["high"] == TERMINAL_TWO_HIGHLIGHTS[-1]
    assert styled["none"] is None
    fills = [e.attrib["fill"] for e in parse(to_svg(figure)).iter(f"{NS}rect")]
    assert {TWO_HIGHLIGHTS[0], TWO_HIGHLIGHTS[-1]} <= set(fills)


def test_lines_of_a_coloured_text_stay_on_the_card():
    figure = ColouredText("t", ("word ",) * 100 + ("\n",) * 3, (1.0,) * 103, (0.0, 3.0), "v")
    root = parse(to_svg(figure))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for rect in root.iter(f"{NS}rect"):
        assert float(rect.attrib["x"]) + float(rect.attrib["width"]) <= width
        assert float(rect.attrib["y"]) + float(rect.attrib["height"]) <= height


#: (S (NP dogs) (VP bark (ADVP very loudly)))
SENTENCE = Tree("t", ("S", "NP", "dogs", "VP", "bark", "ADVP", "very", "loudly"), (-1, 0, 1, 0, 3, 3, 5, 5))


def test_a_phrase_stands_over_the_middle_of_what_is_below_it_and_words_on_one_line():
    found = [e for e in parse(to_svg(SENTENCE)).iter(f"{NS}text") if e.text != "t"]
    places = {e.text: (float(e.get("x")), float(e.get("y"))) for e in found}
    words = [places[word] for word in ("dogs", "bark", "very", "loudly")]
    assert len({y for _, y in words}) == 1 and words == sorted(words)
    assert places["S"][1] < places["NP"][1] == places["VP"][1] < places["ADVP"][1] < words[0][1]
    assert places["NP"][0] == places["dogs"][0]
    assert places["ADVP"][0] == pytest.approx((places["very"][0] + places["loudly"][0]) / 2, abs=0.02)
    assert places["VP"][0] == pytest.approx((places["bark"][0] + places["ADVP"][0]) / 2, abs=0.02)
    lines = list(parse(to_svg(SENTENCE)).iter(f"{NS}path"))
    assert len(lines) == 7 and sum("stroke-dasharray" in e.attrib for e in lines) == 2  # dogs and bark, from higher up


def test_a_tree_in_a_terminal_is_indented_and_keeps_its_words():
    console = Console(width=60, file=io.StringIO(), force_terminal=False, color_system=None)
    console.print(to_terminal(SENTENCE))
    shown = ["t", "S", "├─ NP  dogs", "└─ VP", "   ├─ bark", "   └─ ADVP  very loudly"]
    assert [line.rstrip() for line in console.file.getvalue().splitlines()] == shown


def test_numbers_in_a_table_are_set_right_and_words_left():
    root = parse(to_svg(Table("t", ("name", "loss", "mixed"), (("a", 1.5, 1), ("b", None, "x")))))
    anchors = {e.text: e.attrib.get("text-anchor", "start") for e in root.iter(f"{NS}text")}
    assert (anchors["a"], anchors["1.500"], anchors["1"], anchors["x"]) == ("start", "end", "start", "start")
    assert (anchors["name"], anchors["loss"]) == ("start", "end")


def test_mixing_colours_keeps_the_ends_and_passes_through_the_middle():
    assert [mix(SEQUENTIAL, share) for share in (0, 1 / 3, 2 / 3, 1, -5, 7)] == [
        *SEQUENTIAL,
        SEQUENTIAL[0],
        SEQUENTIAL[-1],
    ]
    assert (
        mix(("#000000", "#ffffff"), 0.5) == "#636363"
    )  # OKLab's middle grey: half the lightness, an eighth of the light


def test_no_two_lines_of_a_tree_cross():
    # The last word hangs from the top, beside what is deep.
    labels = ("S", "one", "and", "two", "and", "VP", "three", "VP", "and", "VP", "four", ".")
    root = parse(to_svg(Tree("a sentence", labels, (-1, 0, 0, 0, 0, 0, 5, 5, 7, 7, 9, 0))))
    lines = [
        [tuple(map(float, place.split())) for place in re.split("[ML]", path.attrib["d"])[1:]]
        for path in root.iter(f"{NS}path")
    ]
    assert len(lines) == len(labels) - 1
    pieces = [(line[k], line[k + 1]) for line in lines for k in range(len(line) - 1)]

    def side(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    for k, (a, b) in enumerate(pieces):
        for c, d in pieces[:k]:
            assert not (side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0), (a, b, c, d)
