"""`doctor`: what this machine has, which kernel would run each cell, and why not the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from unrolled.figures import Table
from unrolled.workshop.folder import versions
from unrolled.workshop.messages import Message, Note, Shown

#: What stands for a cell's name in a reason that others have, too.
THE_CELL = "the cell"


@dataclass(frozen=True)
class DoctorRequest:
    """Say what this machine has, and which kernel runs which cell, and why not the others."""


def doctor(request: DoctorRequest) -> Iterator[Message]:
    """Versions, hardware, caches, and tables of kernels and cells."""
    import importlib.util

    import torch

    from unrolled.data import named
    from unrolled.data.folders import cache_folder
    from unrolled.kernels import native_core
    from unrolled.training.hardware import automatic_dtype
    from unrolled.workshop.machine import describe

    yield Note(", ".join(f"{name} {number}" for name, number in versions().items()))
    machine = describe()
    yield Note(", ".join(f"{name} {value}" for name, value in machine.items()))
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none that torch can use"
    yield Note(f"accelerator: {gpu}; --dtype auto is {automatic_dtype('cpu')} on this CPU")
    if native_core.is_built():
        yield Note(
            f"native core: built; it runs with {native_core.instruction_set()} here, cells of your own too, "
            "where their step can be traced"
        )
    else:
        yield Note(
            "native core: not built, for want of a C++ compiler. Everything works, but most recurrent cells train more "
            "slowly; with a compiler such as g++, install the package again"
        )
    yield Note(f"scans: {native_core.lacks('scan') or 'in the native core, real and complex, on the CPU'}")
    bpe = "installed" if importlib.util.find_spec("tokenizers") else "not installed: pip install 'unrolled[bpe]'"
    yield Note(f"extra bpe: {bpe}")
    here = [name for name in named.names() if named.locate(name)]
    yield Note(f"data sets here: {', '.join(here) or 'none'}; cache: {cache_folder()}")
    for table in _kernels():
        yield Shown(table)
    yield Shown(_steppers())


def _steppers() -> Table:
    """What feeds each cell step by step."""
    from unrolled.cells import registry
    from unrolled.kernels import choose, native_core

    fed: dict[str, list[str]] = {"native": [], "traced": [], "reference": []}
    for name, cell in registry.built_in().items():
        fed[choose.stepper(cell(4, 4)).NAME].append(name)
    how = {
        "native": native_core.lacks("stream") or "in the native core; `sample --precision` packs the weights narrower",
        "traced": native_core.lacks("PackedProgram") or "in the native core, as a program; cells of your own too",
        "reference": "in torch",
    }
    return Table(
        "Streaming, one step a call (sampling and every closed loop): what steps each cell here",
        ("stepper", "how", "cells"),
        tuple((stepper, how[stepper], ", ".join(cells) or "—") for stepper, cells in fed.items()),
    )


def _kernels() -> Iterator[Table]:
    """Which cells each kernel runs, and why it does not run the others: cells with the same reason stand together."""
    import torch

    from unrolled.cells import registry
    from unrolled.cells.cell import state_like
    from unrolled.kernels import choose
    from unrolled.kernels.kernel import Pass

    runs: dict[str, list[str]] = {kernel.NAME: [] for kernel in choose.KERNELS}
    refused: dict[tuple[str, str], list[str]] = {}
    for name, cell in registry.built_in().items():
        tried = cell(4, 4)
        x = torch.zeros(8, 1, *[1] * cell.PLACES, 4)
        condition = torch.zeros(1, tried.condition_size) if tried.condition_size else None
        refusals = choose.explain([Pass(tried, x, state_like(tried, x), condition=condition)])
        runs[next(kernel for kernel, reasons in refusals.items() if not reasons)].append(name)
        for kernel, reasons in refusals.items():
            for reason in reasons:
                why = re.sub(rf"\b{type(tried).__name__}\b", THE_CELL, reason)
                refused.setdefault((kernel, why), []).append(name)
    yield Table(
        "Kernels, the fastest first, and the cells that each runs here",
        ("kernel", "cells"),
        tuple((kernel, ", ".join(cells) or "—") for kernel, cells in runs.items()),
    )
    order = list(runs)
    yield Table(
        "Why a cell has no faster kernel",
        ("kernel", "why not", "cells"),
        tuple(
            (kernel, why, ", ".join(cells))
            for (kernel, why), cells in sorted(refused.items(), key=lambda one: order.index(one[0][0]))
        ),
    )
