"""The scripts do what the README promises of them: seen on copies, with stand-ins for what takes long."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHELL_SCRIPTS = ("scripts/setup", "scripts/demo", "scripts/test", "scripts/verify", ".ci/run")
#: What the scripts may use besides bash itself; the stand-in for Python needs some more.
TOOLS = ("bash", "cat", "cmp", "dirname", "mktemp", "rm", "mkdir", "cp", "chmod")


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("script", SHELL_SCRIPTS)
def test_a_script_is_bash_that_parses_and_may_be_run(script: str) -> None:
    assert run("bash", "-n", ROOT / script).stderr == ""
    assert os.access(ROOT / script, os.X_OK)
    assert (ROOT / script).read_text().startswith("#!/usr/bin/env bash\n")


def test_every_script_sets_up_first() -> None:
    for script in ("scripts/demo", "scripts/test", "scripts/verify"):
        assert "\nscripts/setup\n" in (ROOT / script).read_text()


# ---- scripts/setup, with stand-ins for Python and pip ----

#: Answers what setup asks of a Python, makes an "environment" of itself, and writes down what pip was asked for.
STAND_IN = """#!/usr/bin/env bash
case "$*" in
    *platform*) echo "{version}" ;;
    *version_info*) [ "{new}" = yes ] ;;
    *ensurepip*) [ "{venv}" = yes ] ;;
    "-m venv"*)
        case "$*" in *--clear*) rm -rf "${{!#}}" ;; esac
        mkdir -p "${{!#}}/bin" && cp "$0" "${{!#}}/bin/python" ;;
    "-m pip"*) echo "$*" >>"$PIP_CALLS"; exit "${{PIP_CODE:-0}}" ;;
    "-c ") ;;
    *) echo "not expected: $*" >&2; exit 99 ;;
esac
"""


class Machine:
    """A checkout with only what setup reads, and a path with only what is put there."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "check out"
        self.bin = folder / "bin"
        self.calls = folder / "pip-calls"
        (self.checkout / "scripts").mkdir(parents=True)
        self.bin.mkdir()
        for name in ("pyproject.toml", "constraints.txt", "scripts/setup", "hatch_build.py", "CMakeLists.txt"):
            shutil.copy(ROOT / name, self.checkout / name)
        shutil.copytree(ROOT / "csrc", self.checkout / "csrc")
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or pytest.fail(f"no {tool}"))

    def add_python(self, name: str, version: str, new: str = "yes", venv: str = "yes") -> None:
        self.add(name, STAND_IN.format(version=version, new=new, venv=venv))

    def add(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def set_up(self, pip_code: int = 0) -> subprocess.CompletedProcess[str]:
        setup = self.checkout / "scripts" / "setup"
        return run("bash", setup, PATH=str(self.bin), PIP_CALLS=str(self.calls), PIP_CODE=str(pip_code))

    @property
    def installs(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_setup_installs_once_and_again_only_after_a_change(machine: Machine) -> None:
    machine.add_python("python3.12", "3.12.1")
    first = machine.set_up()
    assert (first.returncode, len(machine.installs)) == (0, 1), first.stderr
    extras = "bpe,pictures,keras,translation,geometry,tables,estimators,benchmarks,test"
    assert machine.installs[0].endswith(f"-c constraints.txt -e .[{extras}]")
    assert "native core could not be built" in first.stderr
    again = machine.set_up()
    assert (again.returncode, again.stdout, again.stderr, len(machine.installs)) == (0, "", "", 1)
    for number, name in enumerate(("pyproject.toml", "constraints.txt"), 2):
        with (machine.checkout / name).open("a") as file:
            file.write("# changed\n")
        assert machine.set_up().returncode == 0
        assert len(machine.installs) == number


def test_setup_builds_the_native_core_alone_where_that_alone_changed(machine: Machine) -> None:
    machine.add_python("python3.12", "3.12.1")
    assert machine.set_up().returncode == 0
    with (machine.checkout / "csrc/isa/cells.h").open("a") as file:
        file.write("// changed\n")
    core = machine.checkout / "src/unrolled/kernels/_native.so"
    core.parent.mkdir(parents=True)
    core.touch()
    result = machine.set_up()
    assert (result.returncode, result.stderr.count("\n")) == (0, 1)
    assert machine.installs[1].endswith("--disable-pip-version-check --no-deps -e .")
    machine.add("g++", "#!/usr/bin/env bash\n")  # a compiler came
    assert machine.set_up().returncode == 0
    assert len(machine.installs) == 3
    assert machine.set_up(pip_code=1).returncode == 0
    assert len(machine.installs) == 3


def test_setup_begins_anew_where_the_environment_is_broken(machine: Machine) -> None:
    machine.add_python("python3.12", "3.12.1")
    machine.set_up()
    (machine.checkout / ".venv/bin/python").write_text("#!/nowhere/python\n")
    (machine.checkout / ".venv/half-installed").write_text("")
    assert machine.set_up().returncode == 0
    assert len(machine.installs) == 2
    assert not (machine.checkout / ".venv/half-installed").exists()


def test_setup_tries_again_after_pip_failed(machine: Machine) -> None:
    machine.add_python("python3.12", "3.12.1")
    failed = machine.set_up(pip_code=1)
    assert failed.returncode == 1
    assert "could not install" in failed.stderr
    assert machine.set_up().returncode == 0
    assert len(machine.installs) == 2


def test_setup_takes_the_newest_python_that_runs(machine: Machine) -> None:
    machine.add("python3.13", "#!/usr/bin/env bash\necho 'python3.13: command not found' >&2; exit 127\n")
    machine.add_python("python3.12", "3.12.1")
    machine.add_python("python3.11", "3.11.7")
    assert "Python 3.12.1" in machine.set_up().stderr


def test_setup_says_what_is_missing(machine: Machine) -> None:
    nothing = machine.set_up()
    assert nothing.returncode == 1
    assert "no Python 3.11 or later with venv" in nothing.stderr
    machine.add_python("python3.11", "3.11.2", venv="no")
    machine.add_python("python3", "3.10.13", new="no")
    result = machine.set_up()
    assert result.returncode == 1
    assert "python3.11 is Python 3.11.2 without venv" in result.stderr
    assert "python3 is Python 3.10.13: 3.11 or later is needed" in result.stderr
    assert machine.installs == []


# ---- the list of skips ----

SKIPPING = """
import pytest

@pytest.mark.skip(reason="no CUDA device here")
def test_cuda(): ...

class TestFast:
    @pytest.mark.parametrize("size", [1, 2])
    def test_size(self, size):
        if size == 2:
            pytest.skip("no compiler")

@pytest.mark.xfail(reason="not written yet")
def test_later():
    assert False

def test_good(): ...
"""
SKIPPED_WHOLE = 'import pytest\npytest.skip("no browser", allow_module_level=True)\n'
ALL_SKIPS = (
    "tests/room/test_cells.py::test_cuda | no CUDA device",
    "tests/room/test_cells.py::TestFast::test_size[2] | no compiler",
    "tests/room/test_cells.py::test_later | not written yet",
    "tests/web/test_*.py::* | no browser",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pytest itself writes about tests that are skipped in every way there is."""
    folder = tmp_path_factory.mktemp("skipping")
    for room, text in (("room/test_cells.py", SKIPPING), ("web/test_pages.py", SKIPPED_WHOLE)):
        file = folder / "tests" / room
        file.parent.mkdir(parents=True)
        file.write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    settings = ("-p", "no:cacheprovider", "--rootdir", folder, "-c", folder / "pytest.ini")
    written = folder / "report.xml"
    result = run(sys.executable, "-m", "pytest", *settings, f"--junitxml={written}", folder, PYTEST_ADDOPTS="")
    assert "2 passed" in result.stdout, result.stdout
    return written


def check_skips(report: Path, listed: Path) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, ROOT / "scripts" / "check_skips.py", report, listed)


def test_skips_that_are_listed_pass_in_silence(report: Path, tmp_path: Path) -> None:
    listed = tmp_path / "skips.txt"
    listed.write_text("\n".join(["# a remark", "", *ALL_SKIPS]))
    result = check_skips(report, listed)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("missing", range(len(ALL_SKIPS)))
def test_one_skip_that_is_not_listed_fails_and_is_named(report: Path, tmp_path: Path, missing: int) -> None:
    listed = tmp_path / "skips.txt"
    listed.write_text("\n".join(line for i, line in enumerate(ALL_SKIPS) if i != missing))
    result = check_skips(report, listed)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert ALL_SKIPS[missing].split("*")[0].split(" | ")[0] in result.stderr
    assert ALL_SKIPS[missing].split(" | ")[1] in result.stderr


def test_a_skip_for_another_reason_is_not_listed(report: Path, tmp_path: Path) -> None:
    listed = tmp_path / "skips.txt"
    listed.write_text("\n".join([*ALL_SKIPS[1:], "tests/room/test_cells.py::test_cuda | no time"]))
    assert "no CUDA device here" in check_skips(report, listed).stderr


def test_a_line_that_is_no_entry_is_named(report: Path, tmp_path: Path) -> None:
    listed = tmp_path / "skips.txt"
    listed.write_text("# fine\ntests/room/test_cells.py::test_cuda\n")
    result = check_skips(report, listed)
    assert result.returncode == 1
    assert "line 2: expected `test | reason`" in result.stderr


def test_the_committed_list_can_be_read(tmp_path: Path) -> None:
    empty = tmp_path / "report.xml"
    empty.write_text("<testsuites><testsuite/></testsuites>")
    result = check_skips(empty, ROOT / "docs" / "skips.txt")
    assert (result.returncode, result.stderr) == (0, "")


# ---- .ci/run, with a stand-in for scripts/test ----


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout beside a folder of data, whose scripts/test reports what it was given."""
    checkout = tmp_path / "checkout"
    for name in (".ci/run", "scripts/check_skips.py", "docs/skips.txt"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    (checkout / ".venv/bin").mkdir(parents=True)
    # Not a link: an interpreter that is reached through one may look for its library beside the link.
    (checkout / ".venv/bin/python").write_text(f'#!/usr/bin/env bash\nexec "{sys.executable}" "$@"\n')
    (checkout / ".venv/bin/python").chmod(0o755)
    (tmp_path / "shared/data").mkdir(parents=True)
    return checkout


def ci_run(checkout: Path, report: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    script = checkout / "scripts" / "test"
    script.write_text(
        f'#!/usr/bin/env bash\ncat; echo "CI=$CI data=${{UNROLLED_DATA-none}}"\n'
        f"printf '%s' '{report}' >\"${{1#--junitxml=}}\"\necho '3 passed in 0.1s'\nexit {code}\n"
    )
    script.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "UNROLLED_DATA")}
    return subprocess.run(
        ["bash", str(checkout / ".ci" / "run")],
        check=False, capture_output=True, text=True, input="what somebody types\n", timeout=60, env=environment,
    )  # fmt: skip


CLEAN = '<testsuites><testsuite><testcase classname="tests.test_a" name="test_b"/></testsuite></testsuites>'
WITH_SKIP = CLEAN.replace("/></testsuite>", '><skipped message="tired"/></testcase></testsuite>')


def test_ci_ends_with_the_closing_line_of_the_tests(checkout: Path) -> None:
    result = ci_run(checkout, CLEAN)
    assert (result.returncode, result.stderr) == (0, "")
    data = checkout.parent / "shared" / "data"
    assert result.stdout.splitlines() == [f"CI=true data={data}", "3 passed in 0.1s"]


def test_ci_goes_without_the_data_where_there_is_none(checkout: Path) -> None:
    (checkout.parent / "shared/data").rmdir()
    assert "data=none" in ci_run(checkout, CLEAN).stdout


def test_ci_fails_on_a_skip_that_is_not_listed(checkout: Path) -> None:
    result = ci_run(checkout, WITH_SKIP)
    assert result.returncode == 1
    assert "tests/test_a.py::test_b: tired" in result.stderr


def test_ci_fails_where_the_tests_fail(checkout: Path) -> None:
    assert ci_run(checkout, CLEAN, code=3).returncode == 3
