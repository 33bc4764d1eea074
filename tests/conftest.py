"""The same numbers every time, on one thread, whatever order the tests run in."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, settings

# A property that fails on one machine fails on all: examples are derived from the test, not drawn anew.
settings.register_profile(
    "unrolled", derandomize=True, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unrolled")

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
