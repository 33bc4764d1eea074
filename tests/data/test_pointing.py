"""Examples for pointer networks: their form, their eight ways, and what is held out."""

from __future__ import annotations

import numpy as np
import torch

from unrolled.batch import Ragged
from unrolled.data import pointing, tours
from unrolled.data.examples import Drawn, held_out


def test_an_example_by_hand() -> None:
    """A square with a point in it, and a triangle beside it to make the row ragged."""
    points = np.array(
        [[[0, 0], [0.5, 0.5], [1, 1], [0, 1], [1, 0]], [[0.1, 0], [1, 0], [0.5, 1], [0.5, 0.5], [0.5, 0.2]]]
    )
    fields = pointing.example(points, pointing.hulls(points))
    targets = fields["targets"]
    assert isinstance(targets, Ragged)
    assert targets.lengths.tolist() == [5, 4]
    assert targets.values.T.tolist() == [[1, 5, 3, 4, 0], [1, 2, 3, 0, 0]]
    assert fields["points"].shape == (5, 2, 2)
    assert fields["points"][2, 0].tolist() == [1, 1]


def test_triangles_stand_in_one_row() -> None:
    points = np.array([[[0, 0], [1, 0], [0, 1], [1, 1.1]]])
    (answer,) = pointing.triangulations(points)
    assert answer.tolist() == [1, 2, 3, 2, 3, 4]


def test_a_tour_turned_over_and_numbered_anew_is_still_the_shortest() -> None:
    draw = pointing.drawing(pointing.round_tours, 6, 6, symmetric=True)
    fields = draw(np.random.default_rng(0), 30)
    points = fields["points"].transpose(0, 1).double().numpy()
    said = fields["targets"].values[:6].T.numpy() - 1
    assert (tours.exact_tours(points) == said).all()
    assert len({tuple(row) for row in said.tolist()}) > 20
    # Four sets were solved: each comes with distances that up to eight share.
    sums = np.round(tours.distances(points).sum((1, 2)), 4)
    assert len(set(sums.tolist())) == 4
    assert len({tuple(map(tuple, np.round(np.sort(one, 0), 4))) for one in points}) > 25


def test_points_in_order_rise_in_x_and_their_answers_are_by_their_numbers() -> None:
    for solve, symmetric in ((pointing.hulls, False), (pointing.round_tours, True)):
        fields = pointing.drawing(solve, 7, 7, symmetric, in_order=True)(np.random.default_rng(2), 20)
        points = fields["points"].transpose(0, 1).double().numpy()
        assert (np.diff(points[..., 0], axis=1) > 0).all()
        # The leftmost point is on every hull, and first on every tour.
        assert (fields["targets"].values[0] == 1).all()
        again = pointing.example(points, solve(points))["targets"]
        assert torch.equal(again.values, fields["targets"].values)


def test_sizes_are_drawn_between_the_two_and_all_of_a_batch_have_one() -> None:
    source = Drawn(pointing.drawing(pointing.hulls, 5, 7), 4, 0, "pointers")
    sizes = [source.batch(number).tensor("points").shape[0] for number in range(30)]
    assert set(sizes) == {5, 6, 7}
    assert torch.equal(source.batch(3).tensor("points"), source.batch(3).tensor("points"))


def test_what_is_held_out_is_never_trained_on() -> None:
    draw = pointing.drawing(pointing.hulls, 5, 5)
    parts = [held_out(draw, 50, part) for part in (0, 1005, 2005)]
    trained = [Drawn(draw, 50, seed, "pointers").batch(number) for seed in (0, 1) for number in (0, 1)]
    every = [batch.tensor("points") for batch in (*trained, *(part[0] for part in parts))]
    seen = torch.cat([points.transpose(0, 1).reshape(-1, 10) for points in every])
    assert len(seen.unique(dim=0)) == len(seen)
