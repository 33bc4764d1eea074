"""Pictures out of an archive, split, scaled, moved and put in batches."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from unrolled.data import picture_archive
from unrolled.data.picture_archive import PictureBatches, Pictures, Scale, in_order, read_archive, split
from unrolled.errors import DataError, OptionError

Image = pytest.importorskip("PIL.Image", reason="the extra `pictures` is not installed")


def png(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG")
    return out.getvalue()


def write(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def made(count: int, side: int = 4) -> Pictures:
    """Pictures whose every value tells the picture and the place."""
    values = np.arange(count * side * side * 3, dtype=np.int64).reshape(count, side, side, 3) % 251
    return Pictures(values.astype(np.uint8), np.arange(count) % 3, ["a", "b", "c"], "")


def test_pictures_come_sorted_by_name_with_their_folder_as_class(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    grey = np.full((4, 4), 7, np.uint8)
    files = {"top/b/2.png": png(values[2]), "top/a/1.png": png(values[1]), "top/a/0.PNG": png(values[0])}
    path = write(tmp_path / "p.zip", {**files, "top/b/3.png": png(grey), "top/readme.txt": b"no picture"})
    found = read_archive(path)
    assert found.classes == ["a", "b"] and found.labels.tolist() == [0, 0, 1, 1]
    assert np.array_equal(found.values[:3], values) and (found.values[3] == 7).all()
    assert len(found.digest) == 64 and found.digest != read_archive(write(tmp_path / "q.zip", files)).digest


def test_bad_archives_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, wide = png(np.zeros((4, 4, 3), np.uint8)), png(np.zeros((4, 5, 3), np.uint8))
    cases = {
        "no zip": (b"text", "zip archive"),
        "cut": (write(tmp_path / "a.zip", {"a/1.png": good, "b/2.png": good[:40]}), "b/2.png in it is no picture"),
        "sizes": (write(tmp_path / "b.zip", {"a/1.png": good, "b/2.png": wide}), "another size than a/1.png"),
        "one class": (write(tmp_path / "c.zip", {"a/1.png": good}), "two or more"),
        "no folder": (write(tmp_path / "d.zip", {"1.png": good, "b/2.png": good}), "two or more"),
        "empty": (write(tmp_path / "e.zip", {}), "two or more"),
    }
    for content, message in cases.values():
        path = content
        if isinstance(content, bytes):
            path = tmp_path / "text.zip"
            path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            read_archive(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_archive(tmp_path / "missing.zip")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(OptionError, match=r"unrolled\[pictures\]"):
        read_archive(tmp_path / "a.zip")


def test_the_split_is_fixed_and_leaves_nothing_out_or_in_twice() -> None:
    pictures = made(50)
    parts = split(pictures, (0.1, 0.2))
    assert [len(part.labels) for part in parts] == [35, 5, 10]
    rows = np.concatenate([part.values.reshape(len(part.labels), -1) for part in parts])
    assert {row.tobytes() for row in rows} == {row.tobytes() for row in pictures.values}
    again = split(pictures, (0.1, 0.2))
    assert all(np.array_equal(a.values, b.values) for a, b in zip(parts, again, strict=True))
    assert not np.array_equal(parts[0].values, split(pictures, (0.1, 0.2), seed=1)[0].values)
    for part in parts:
        for value, label in zip(part.values, part.labels, strict=True):
            (place,) = [i for i in range(50) if np.array_equal(pictures.values[i], value)]
            assert pictures.labels[place] == label
    with pytest.raises(DataError, match="cannot be split"):
        split(made(5), (0.1, 0.1))


def test_scaled_training_pictures_have_mean_0_and_variance_1_in_each_channel() -> None:
    values = np.random.default_rng(1).integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
    values[..., 2] = 9
    scaled = Scale.of(Pictures(values, np.zeros(20, np.int64), ["a"], "")).apply(values)
    assert scaled.dtype == torch.float32
    torch.testing.assert_close(scaled.mean((0, 1, 2)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(scaled.std((0, 1, 2), correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-5, rtol=0)


SCALE = Scale((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def numbers(batch, pictures: Pictures) -> list[int]:
    """Which pictures a batch has, by what is in them."""
    flat = pictures.values.reshape(len(pictures.labels), -1).astype(np.float32)
    return [int((flat == row.numpy().ravel()).all(1).argmax()) for row in batch.tensor("pictures")[0]]


def test_batches_are_a_pure_function_of_their_number_and_an_epoch_has_each_picture_once() -> None:
    pictures = made(13)
    source = PictureBatches(pictures, SCALE, 4, seed=5)
    assert source.batches_per_epoch == 3
    late = source.batch(4)
    for epoch in range(2):
        seen = [n for place in range(3) for n in numbers(source.batch(3 * epoch + place), pictures)]
        assert len(set(seen)) == 12
    fresh = PictureBatches(pictures, SCALE, 4, seed=5).batch(4)
    assert torch.equal(late.tensor("pictures"), fresh.tensor("pictures"))
    assert numbers(late, pictures) != numbers(source.batch(1), pictures)
    assert numbers(late, pictures) != numbers(PictureBatches(pictures, SCALE, 4, seed=6).batch(4), pictures)
    assert late.tensor("targets")[0].tolist() == [n % 3 for n in numbers(late, pictures)]
    assert late.tensor("pictures").shape == (1, 4, 4, 4, 3) and late.origin == "batch 2 of epoch 2"
    with pytest.raises(DataError, match="fewer than one batch"):
        PictureBatches(made(3), SCALE, 4, seed=0)


def test_moved_and_mirrored_pictures_are_the_same_for_every_share_of_the_rows() -> None:
    pictures = made(12)
    source = PictureBatches(pictures, SCALE, 6, seed=2, shift=2)
    whole = source.batch(7)
    parts = [source.for_rows(0, 2).batch(7), source.for_rows(2, 4).batch(7)]
    assert torch.equal(whole.tensor("pictures"), torch.cat([part.tensor("pictures") for part in parts], 1))
    assert torch.equal(whole.tensor("targets"), torch.cat([part.tensor("targets") for part in parts], 1))
    assert [part.rows for part in parts] == [(0, 6), (2, 6)]
    still = PictureBatches(pictures, SCALE, 6, seed=2).batch(7)
    assert torch.equal(whole.tensor("targets"), still.tensor("targets"))
    assert not torch.equal(whole.tensor("pictures"), still.tensor("pictures"))


def test_a_picture_moves_down_and_to_the_right_and_is_then_mirrored() -> None:
    value = torch.arange(1, 10, dtype=torch.float32).reshape(1, 3, 3, 1)
    moved = picture_archive._moved(value.repeat(2, 1, 1, 1), np.array([[1, -1]] * 2), np.array([False, True]), 1)
    assert moved[0, :, :, 0].tolist() == [[0, 0, 0], [2, 3, 0], [5, 6, 0]]
    assert moved[1, :, :, 0].tolist() == [[0, 0, 0], [0, 3, 2], [0, 6, 5]]


def test_in_order_gives_every_picture_once_as_it_stands() -> None:
    pictures = made(7)
    batches = list(in_order(pictures, SCALE, 3))
    assert [numbers(batch, pictures) for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
