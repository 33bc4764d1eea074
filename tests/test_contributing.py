"""The page for contributors does what it says: its cell keeps the contract, and trains by `--cell`."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from unrolled.cells.cell import state_like
from unrolled.contracts.cell import CLAUSES, check_cell
from unrolled.contracts.kernel import check_kernel
from unrolled.contracts.subject import Subject
from unrolled.kernels import choose, native_core
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference
from unrolled.kernels.traced import Traced

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
(CODE,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("someone_elses") / "leaky.py"
    path.write_text(CODE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def leaky(file):
    spec = importlib.util.spec_from_file_location("leaky_of_the_page", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Leaky


def test_the_cell_is_about_thirty_lines():
    assert len([line for line in CODE.splitlines() if line.strip()]) <= 40


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_the_cell_keeps_every_clause(leaky, clause):
    clause(Subject(leaky))


def test_the_cell_is_served_by_the_reference_with_masks(leaky):
    assert check_kernel(Reference(), [Subject(leaky)]) > 0
    check_cell(leaky)


@pytest.mark.skipif(not native_core.is_built(), reason="no C++ compiler built the native core")
def test_the_cell_runs_in_the_native_core(leaky):
    cell, x = leaky(3, 4), torch.zeros(5, 2, 3)
    assert choose.choose([Pass(cell, x, state_like(cell, x))]).NAME == "traced"
    assert check_kernel(Traced(), [Subject(leaky)]) == 3 * 20


def in_that_folder(file: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=file.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_the_check_on_the_page_runs(file):
    (line,) = re.findall(r'^python -c "(.*)"$', PAGE, re.M)
    done = in_that_folder(file, "-c", line)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_on_the_page_trains_with_the_cell(file):
    (line,) = re.findall(r"^unrolled (train .*--cell.*)$", PAGE, re.M)
    (file.parent / "book.txt").write_text("The quick brown fox jumps over the lazy dog.\n" * 120, encoding="utf-8")
    # As an installed command runs: without the folder it stands in on Python's path.
    start = "import sys; sys.path.remove(''); from unrolled.cli.main import main; sys.exit(main(sys.argv[1:]))"
    small = ("--steps", "3", "--sizes", "8", "--batch-size", "4", "--window", "16", "--runs", "runs", "--name", "leaky")
    done = in_that_folder(file, "-c", start, *line.split(), *small)
    assert done.returncode == 0, done.stderr
    # What it says to try next runs as it stands: the cell is named there, for a run's folder alone imports no code.
    assert all(" --cell leaky:Leaky" in command for command in json.loads(done.stdout.splitlines()[-1])["commands"][:2])
    options = (file.parent / "runs" / "leaky" / "config.toml").read_text(encoding="utf-8")
    assert 'cell = "leaky:Leaky"' in options
    assert list((file.parent / "runs" / "leaky" / "checkpoints").iterdir())
