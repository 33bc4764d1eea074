"""Figures: through JSON and back they are the same; what is not a figure is refused in words."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import DataError, ShapeError
from unrolled.figures import FORMAT, Band, ColouredText, Curves, HeatMap, Points, Series, Table, Tree, from_json

numbers = st.floats()
words = st.text(max_size=8)


def same_length(*parts):
    return st.integers(0, 5).flatmap(
        lambda n: st.tuples(*(st.lists(part, min_size=n, max_size=n).map(tuple) for part in parts))
    )


series = st.builds(lambda name, xy, beside: Series(name, *xy, beside), words, same_length(numbers, numbers), words)
bands = st.builds(
    lambda name, edges, about: Band(name, *edges, about), words, same_length(numbers, numbers, numbers), words
)
curves = st.builds(
    Curves,
    words,
    st.lists(series, max_size=3).map(tuple),
    words,
    words,
    st.booleans(),
    st.booleans(),
    st.lists(bands, max_size=2).map(tuple),
)
points = st.builds(
    Points, words, st.lists(series, max_size=3).map(tuple), words, words, st.lists(series, max_size=2).map(tuple)
)
heat_maps = st.integers(0, 4).flatmap(
    lambda n: st.builds(
        lambda title, rows, columns, label, paths: HeatMap(title, rows[0], rows[1], columns, label, paths),
        words,
        same_length(st.lists(numbers, min_size=n, max_size=n).map(tuple), words),
        st.lists(words, min_size=n, max_size=n).map(tuple),
        words,
        st.lists(series, max_size=2).map(tuple),
    )
)
coloured = st.builds(
    lambda title, parts, label: ColouredText(title, *parts, (-1.0, 2.5), label),
    words,
    same_length(words, numbers),
    words,
)
cells = st.one_of(st.none(), words, st.integers(), numbers, st.sampled_from(["NaN", "Infinity"]))
tables = st.integers(0, 4).flatmap(
    lambda n: st.builds(
        Table,
        words,
        st.lists(words, min_size=n, max_size=n).map(tuple),
        st.lists(st.lists(cells, min_size=n, max_size=n).map(tuple), max_size=3).map(tuple),
    )
)


@st.composite
def trees(draw):
    """Each node below the one before it, or below one of those above that one."""
    parents = [-1]
    for number in range(1, draw(st.integers(1, 8))):
        above = [number - 1]
        while parents[above[-1]] >= 0:
            above.append(parents[above[-1]])
        parents.append(draw(st.sampled_from(above)))
    return Tree(draw(words), tuple(draw(words) for _ in parents), tuple(parents))


@given(st.one_of(curves, points, heat_maps, coloured, tables, trees()))
def test_through_json_and_back_it_is_the_same(figure):
    # allow_nan=False: nothing is written that is not JSON.
    written = json.dumps(figure.to_json(), allow_nan=False)
    # repr tells NaN from nothing, 1 from 1.0 and "NaN" from NaN, where == does not.
    assert repr(from_json(json.loads(written))) == repr(figure)


def test_what_is_written_is_what_the_page_says():
    figure = Curves("loss", (Series("a", (1.0, 2.0), (math.nan, -math.inf)),), "step", "nats", x_log=True)
    assert figure.to_json() == {
        "figure": "curves",
        "format": FORMAT,
        "title": "loss",
        "series": [{"name": "a", "x": [1.0, 2.0], "y": ["NaN", "-Infinity"]}],
        "x_label": "step",
        "y_label": "nats",
        "x_log": True,
        "y_log": False,
        "bands": [],
    }
    band = Band("80%", (1.0, 2.0), (0.5, math.nan), (3.0, 4.0), "a")
    assert Curves("t", (), "x", "y", bands=(band,)).to_json()["bands"] == [
        {"name": "80%", "x": [1.0, 2.0], "low": [0.5, "NaN"], "high": [3.0, 4.0], "about": "a"}
    ]
    bound = Curves("t", (Series("b", (1.0,), (2.0,), beside="a"),), "x", "y").to_json()["series"]
    assert bound == [{"name": "b", "x": [1.0], "y": [2.0], "beside": "a"}]
    assert Table("t", ("a",), ((math.inf,), ("NaN",))).to_json()["rows"] == [[{"number": "Infinity"}], ["NaN"]]


def test_a_heat_map_of_the_first_format_had_no_paths_and_still_opens():
    figure = HeatMap("h", ((1.0,),), ("r",), ("c",), "v")
    first = {name: value for name, value in figure.to_json().items() if name != "paths"} | {"format": 1}
    assert from_json(first) == figure
    with pytest.raises(DataError, match="a heat-map has the fields"):
        from_json({**first, "format": FORMAT})


@pytest.mark.parametrize("version", [1, 2, 3])
def test_curves_of_earlier_formats_had_no_bands_and_still_open(version):
    figure = Curves("c", (Series("a", (1.0,), (2.0,)),), "x", "y")
    earlier = {name: value for name, value in figure.to_json().items() if name != "bands"} | {"format": version}
    assert from_json(earlier) == figure
    with pytest.raises(DataError, match="a curves has the fields"):
        from_json({**earlier, "format": FORMAT})


GOOD = Table("t", ("a", "b"), ((1, "x"),)).to_json()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            {**GOOD, "figure": "hologram"},
            "one of curves, points, heat-map, coloured-text, table, tree; 'hologram' came",
        ),
        ({}, "None came"),
        ({**GOOD, "format": FORMAT + 1}, f"this one has format {FORMAT + 1}"),
        ({**GOOD, "format": "1"}, "this one has format '1'"),
        ({k: v for k, v in GOOD.items() if k != "rows"}, "a table has the fields"),
        ({**GOOD, "extra": 1}, "a table has the fields"),
        ({**GOOD, "title": 5}, "a text was expected; 5 came"),
        ({**GOOD, "rows": 5}, "cannot be read"),
        ({**GOOD, "rows": [[1]]}, "row 1 of table 't' must have 2 cells; 1 came"),
        ({**GOOD, "rows": [[1, []]]}, "a cell is text, a number or nothing"),
        ({**GOOD, "rows": [[1, {"word": 2}]]}, "cannot be read"),
        ({**Curves("c", (), "x", "y").to_json(), "x_log": "yes"}, "true or false was expected"),
        ({**Curves("c", (), "x", "y").to_json(), "series": [{"name": "a", "x": [1], "y": []}]}, "1 x and 0 y came"),
        ({**Curves("c", (), "x", "y").to_json(), "bands": [{"name": "a", "x": [1]}]}, "cannot be read"),
        (
            {
                **Curves("c", (), "x", "y").to_json(),
                "bands": [{"name": "a", "x": [1], "low": [], "high": [], "about": ""}],
            },
            "1 x, 0 low and 0 high came",
        ),
        ({**Points("p", (), "x", "y").to_json(), "lines": [{"name": "a", "x": [1], "y": []}]}, "1 x and 0 y came"),
        ({**HeatMap("h", (), (), (), "v").to_json(), "paths": [{"name": "a", "x": [1]}]}, "cannot be read"),
        ({**ColouredText("c", (), (), (0.0, 1.0), "v").to_json(), "scale": [1.0]}, "cannot be read"),
        ({**Tree("t", ("a",), (-1,)).to_json(), "parents": [-1.5]}, "whole numbers were expected"),
        ({**Tree("t", ("a",), (-1,)).to_json(), "parents": [0]}, "came below node 0"),
    ],
)
def test_what_is_not_a_figure_is_refused(data, said):
    with pytest.raises(DataError, match=said):
        from_json(data)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Series("a", (1.0,), ()),
        lambda: HeatMap("h", ((1.0,),), ("r", "s"), ("c",), "v"),
        lambda: HeatMap("h", ((1.0, 2.0),), ("r",), ("c",), "v"),
        lambda: ColouredText("c", ("a",), (), (0.0, 1.0), "v"),
        lambda: ColouredText("c", (), (), (1.0, 1.0), "v"),
        lambda: ColouredText("c", (), (), (0.0, math.inf), "v"),
        lambda: ColouredText("c", (), (), (math.nan, 1.0), "v"),
        lambda: Table("t", ("a",), ((1, 2),)),
        lambda: Tree("t", (), ()),
        lambda: Tree("t", ("a", "b"), (-1,)),
        lambda: Tree("t", ("a", "b"), (-1, -1)),
        lambda: Tree("t", ("a", "b", "c", "d"), (-1, 0, 0, 1)),  # below what stands further left
    ],
)
def test_parts_that_do_not_fit_together_make_no_figure(make):
    with pytest.raises(ShapeError):
        make()


def test_figures_and_their_renderings_import_neither_torch_nor_numpy():
    code = (
        "import sys, unrolled.figures, unrolled.workshop.renderings.svg, unrolled.workshop.renderings.terminal;"
        "assert not {'torch', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
