"""What the loop is told, as plain data: no torch here, so that a command line can be built from it quickly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

NumberType = Literal["float32", "float64", "bfloat16"]


@dataclass(frozen=True)
class Budget:
    """How long to train: exactly one of the three.

    minutes are counted from the start of the process to the final weights; after a timed warm-up they become a
    number of steps, which is held against the clock at each checkpoint and stored there. A resumed run keeps it.
    """

    steps: int | None = None
    epochs: float | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class Settings:
    """One training.

    optimiser: "adamw"; "muon", for the recurrent layers' matrices, with AdamW for the rest; "adagrad".
    rate: the highest learning rate; muon_rate: that of Muon's part. Both rise over `warmup_steps` and fall alike.
    decay: the way down over the rest of the budget.
    final_rate: what is left of `rate` at the end, as a fraction.
    clip_norm, clip_value: gradient clipping (Pascanu et al. 2013), over all parameters; 0 is none.
    reduction: "mean" divides the summed loss by what it counts before going backward; "rows" divides by the rows of
        the batch only, so that a window's losses add up, as in min-char-rnn.
    dtype: "bfloat16" runs products in bfloat16 under autocast, with weights, states and sums in float32.
    validate_every, checkpoint_every, sample_every: steps; 0 lets the plan choose from the budget.
    """

    budget: Budget = field(default_factory=lambda: Budget(steps=1000))
    optimiser: Literal["adamw", "muon", "adagrad"] = "adamw"
    rate: float = 2e-3
    muon_rate: float = 2e-2
    warmup_steps: int = 50
    decay: Literal["cosine", "linear", "constant"] = "cosine"
    final_rate: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    clip_value: float = 0.0
    reduction: Literal["mean", "rows"] = "mean"
    dtype: NumberType = "float32"
    seed: int = 0
    validate_every: int = 0
    checkpoint_every: int = 0
    sample_every: int = 0
