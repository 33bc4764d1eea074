"""Pictures as sequences: pixels by hand, one order for all, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unrolled.data.pictures import load_digits
from unrolled.errors import DataError


def write(file: Path, **changes: np.ndarray) -> Path:
    draw = np.random.default_rng(0)
    arrays = {
        "x": draw.integers(0, 256, (6, 28, 28)).astype(np.uint8),
        "y": np.array([3, 1, 4, 1, 5, 9]),
        "xt": draw.integers(0, 256, (2, 28, 28)).astype(np.uint8),
        "yt": np.array([2, 6]),
    }
    np.savez(file, **{key: value for key, value in {**arrays, **changes}.items() if value is not None})
    return file


def test_pixels_row_by_row(tmp_path: Path) -> None:
    file = write(tmp_path / "digits.npz")
    pictures = np.load(file)["x"]
    parts = load_digits(file, 28, permuted=False)
    fields = parts.train.sequences(np.array([4, 0]))
    assert fields["inputs"].shape == (784, 2, 1)
    assert fields["targets"].tolist() == [[5, 3]]
    for t, (row, column) in enumerate((row, column) for row in range(28) for column in range(28)):
        assert float(fields["inputs"][t, 0, 0]) == pytest.approx(pictures[4, row, column] / 255, abs=1e-7)


def test_a_shrunk_pixel_is_the_mean_of_four(tmp_path: Path) -> None:
    file = write(tmp_path / "digits.npz")
    pictures = np.load(file)["xt"].astype(float)
    inputs = load_digits(file, 14, permuted=False).test.sequences(np.array([1]))["inputs"]
    assert inputs.shape == (196, 1, 1)
    for row, column in ((0, 0), (3, 5), (13, 13), (0, 13)):
        four = [pictures[1, 2 * row + i, 2 * column + j] for i in (0, 1) for j in (0, 1)]
        assert float(inputs[14 * row + column, 0, 0]) == pytest.approx(sum(four) / 4 / 255, abs=1e-6)


@pytest.mark.parametrize("side", [14, 28])
def test_one_shuffled_order_for_every_picture_of_both_parts(side: int, tmp_path: Path) -> None:
    file = write(tmp_path / "digits.npz")
    plain, shuffled = (load_digits(file, side, permuted) for permuted in (False, True))
    again = load_digits(file, side, permuted=True)
    every = np.arange(6)
    before, after = (parts.train.sequences(every)["inputs"][..., 0].numpy() for parts in (plain, shuffled))
    assert not np.array_equal(before, after)
    assert sorted(map(tuple, before)) == sorted(map(tuple, after))
    order = [int(np.flatnonzero((before == row).all(1))[0]) for row in after]
    test = plain.test.pictures[:, order]
    assert len(set(order)) == side * side
    np.testing.assert_array_equal(shuffled.test.pictures, test)
    np.testing.assert_array_equal(again.train.pictures, shuffled.train.pictures)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"yt": None}, "no array yt in it"),
        ({"x": np.zeros((6, 20, 20), np.uint8)}, r"pictures \(N, 28, 28\) of uint8 were expected"),
        ({"xt": np.zeros((2, 28, 28))}, "float64 .* came"),
        ({"y": np.array([0, 1, 2, 3, 4, 10])}, "one digit from 0 to 9 for each of 6 pictures"),
        ({"y": np.array([0, 1])}, "one digit from 0 to 9 for each of 6 pictures"),
        ({"y": np.array([{}] * 6, dtype=object)}, "not a .npz file of pictures"),
    ],
)
def test_a_file_of_other_arrays_is_refused(changes: dict, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        load_digits(write(tmp_path / "digits.npz", **changes), 14, permuted=False)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    whole = write(tmp_path / "digits.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    np.save(tmp_path / "one.npy", np.zeros(3))
    for name in ("text.npz", "cut.npz", "one.npy"):
        with pytest.raises(DataError, match=r"not a \.npz file of pictures"):
            load_digits(tmp_path / name, 14, permuted=False)
    with pytest.raises(DataError, match="cannot be read"):
        load_digits(tmp_path / "nowhere.npz", 14, permuted=False)
