"""What drawing is told, as plain data: no torch here, so that a command line can be built from it quickly."""

from __future__ import annotations

from dataclasses import dataclass

from unrolled.errors import OptionError

LOWEST_TEMPERATURE = 1e-3
HIGHEST_TEMPERATURE = 1e3


@dataclass(frozen=True)
class Sampling:
    """How the next symbol is drawn. As it stands: from the model's own distribution.

    The four work in this order, each on what the one before left, renormalised: temperature, top_k, top_p, min_p.
    OptionError where a value is out of range.
    """

    temperature: float = 1.0
    """Below 1 the likely becomes likelier, above 1 less so; 0 always takes the likeliest."""
    top_k: int = 0
    """Draw from the k likeliest symbols; 0 is off."""
    top_p: float = 1.0
    """Draw from the fewest symbols that together have this probability (Holtzman et al., 1904.09751); 1 is off."""
    min_p: float = 0.0
    """Draw from symbols with this share or more of the likeliest one's probability (2407.01082); 0 is off."""

    def __post_init__(self) -> None:
        t = self.temperature
        if not (t == 0 or LOWEST_TEMPERATURE <= t <= HIGHEST_TEMPERATURE):
            raise OptionError(
                f"temperature is 0, which always takes the likeliest symbol, or from {LOWEST_TEMPERATURE:g} to "
                f"{HIGHEST_TEMPERATURE:g}; {t:g} came. Usual values are 0.5 to 1.2"
            )
        if self.top_k < 0:
            raise OptionError(f"top-k is 0, which is off, or a number of symbols; {self.top_k} came")
        if not 0 < self.top_p <= 1:
            raise OptionError(f"top-p is above 0 and at most 1, which is off; {self.top_p:g} came")
        if not 0 <= self.min_p <= 1:
            raise OptionError(f"min-p is from 0, which is off, to 1; {self.min_p:g} came")
