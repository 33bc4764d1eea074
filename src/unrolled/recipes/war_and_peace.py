"""`war-and-peace`: a character model of one long novel, and the n-gram that it has to be better than.

unrolled train war-and-peace
unrolled train war-and-peace --cell lstm --sizes 256 256 --minutes 10
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from unrolled.recipes import char_lm, language, language_model
from unrolled.recipes.recipe import Data, Recipe, Sizes
from unrolled.training.settings import Budget, Settings


@dataclass(frozen=True)
class WarAndPeaceOptions(char_lm.CharLMOptions):
    """Options of war-and-peace: those of char-lm, for three times the text and half an hour on two cores."""

    split: Annotated[tuple[float, float, float], tyro.conf.arg(metavar="TRAIN VALID TEST")] = (0.8, 0.1, 0.1)
    n_gram: int = 20
    sizes: Sizes = (512, 512, 512)


def data(options: WarAndPeaceOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    return char_lm.data(replace(options, data=options.data or "war_and_peace"), folder, assets)


def settings(options: WarAndPeaceOptions) -> Settings:
    return language_model.settings(options, Budget(minutes=30))


RECIPE = Recipe(
    summary="A character model of War and Peace, beside an n-gram",
    source="Karpathy, Johnson & Fei-Fei 2015, Visualizing and Understanding Recurrent Networks, arXiv:1506.02078",
    Options=WarAndPeaceOptions,
    data=data,
    model=language_model.model,
    metric=language.held_out_losses,
    settings=settings,
    sample=language.sample_text,
    writing=language.writing,
    target={"state carried": "< 1.195"},
    target_data=("", "war_and_peace"),
    unit="nats/symbol",
    peers=(
        ("best network of the paper", 1.077, "arXiv:1506.02078, on 80/10/10 of this text"),
        ("20-gram of the paper", 1.195, "arXiv:1506.02078, on 80/10/10 of this text"),
    ),
)
