"""`residual-depth`: pictures in classes by a residual network, or by its plain twin, which cannot use such depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unrolled.recipes.recipe import Data, Options, Recipe, require
from unrolled.training.hardware import automatic_dtype
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    from unrolled.data.picture_archive import Pictures, Scale
    from unrolled.models.residual import ResidualNetwork

#: What is held out to validate and to test.
HELD_OUT = (0.1, 0.1)
#: Pictures that a metric looks at side by side.
SIDE_BY_SIDE = 250


@dataclass(frozen=True)
class ResidualDepthOptions(Options):
    """Options of residual-depth. The data is a zip archive with one folder a class."""

    kind: Literal["residual", "plain"] = "residual"
    """With shortcuts around every two layers, or the same without."""
    blocks: int = 5
    """Blocks of two layers in each of the three stages: 6 · blocks + 2 layers in all."""
    width: int = 16
    """Channels of the first stage; the next have twice and four times as many."""
    stride: int = 2
    """Of the first layer. 1 sees every place, as in the paper; 2 is four times faster."""
    shift: int = 2
    """Places by which pictures are moved at most while training, mirrored half of the times; 0 leaves them."""
    batch_size: int = 64
    """Pictures side by side."""
    rate: float = 3e-3
    """AdamW's highest learning rate."""
    warmup: int = 100
    """Steps in which the rate rises to it."""
    weight_decay: float = 0.1
    """Decoupled, on the weights of the layers."""
    clip: float = 1.0
    """The gradient's greatest norm; 0 is none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        defaults = Options()
        for name in ("cell", "kernel"):
            require(
                getattr(self, name) == getattr(defaults, name),
                name,
                getattr(self, name),
                "nothing: this network has no recurrence",
            )
        for name in ("blocks", "width", "stride", "batch_size"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(self.shift >= 0, "shift", self.shift, "0 (none) or more")
        require(self.rate > 0, "rate", self.rate, "above 0")
        require(self.warmup >= 0, "warmup", self.warmup, "0 or more")
        require(self.weight_decay >= 0, "weight_decay", self.weight_decay, "0 or more")
        require(self.clip >= 0, "clip", self.clip, "0 (none) or more")


@dataclass(frozen=True)
class HeldOutPictures:
    """Pictures that are not trained on, and the scale of those that are."""

    pictures: Pictures
    scale: Scale


def data(options: ResidualDepthOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    from unrolled.data import named
    from unrolled.data.picture_archive import PictureBatches, Scale, read_archive, split

    name = options.data or "cifar10_test_jpeg"
    pictures = read_archive(named.find(name) if not Path(name).exists() else Path(name))
    # Which pictures are held out does not depend on the run's seed, so that runs can be compared.
    train, valid, test = split(pictures, HELD_OUT)
    scale = Scale.of(train)
    counts = [f"{len(part.labels):,}" for part in (train, valid, test)]
    _, rows, columns, _ = pictures.values.shape
    return Data(
        train=PictureBatches(train, scale, options.batch_size, options.seed, options.shift),
        held_out={"valid": HeldOutPictures(valid, scale), "test": HeldOutPictures(test, scale)},
        assets={"classes": pictures.classes, "mean": list(scale.mean), "deviation": list(scale.deviation)},
        summary=f"{len(pictures.classes)} classes of {rows} × {columns} pictures: {counts[0]} to train on, "
        f"{counts[1]} to validate, {counts[2]} to test",
        digest=pictures.digest,
    )


def model(options: ResidualDepthOptions, assets: Mapping[str, Any]) -> ResidualNetwork:
    import torch

    from unrolled.models.residual import ResidualNetwork

    network = ResidualNetwork(
        len(assets["classes"]), options.blocks, options.width, options.kind == "residual", options.stride
    )
    # Convolutions on a CPU are a third faster with features last, where the pictures have them too.
    return network.to(memory_format=torch.channels_last)  # type: ignore[no-matching-overload]


def metric(model: ResidualNetwork, part: HeldOutPictures) -> dict[str, float]:
    """Pictures put into a wrong class, in percent, and −ln p of the right one, in nats."""
    import torch

    from unrolled.data.picture_archive import in_order

    device = next(model.parameters()).device
    wrong, total, count = 0, 0.0, 0
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for batch in in_order(part.pictures, part.scale, SIDE_BY_SIDE):
            loss = model.loss(batch.map(lambda tensor: tensor.to(device)), ())
            wrong += int(loss.parts["wrong"])
            total += float(loss.total)
            count += int(loss.count)
    model.train(was_training)
    return {"error rate": 100 * wrong / count, "loss": total / count}


def settings(options: ResidualDepthOptions) -> Settings:
    return Settings(
        budget=options.budget(Budget(minutes=4)),
        rate=options.rate,
        warmup_steps=options.warmup,
        weight_decay=options.weight_decay,
        clip_norm=options.clip,
        dtype=options.number_type(automatic_dtype(options.device)),
        seed=options.seed,
    )


RECIPE = Recipe(
    summary="Pictures by a residual network of any depth, or its plain twin",
    source="He et al. 2016, arXiv:1512.03385",
    Options=ResidualDepthOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    unit="%",
    units={"loss": "nats"},
)
