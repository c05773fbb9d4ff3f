"""The command line as a whole: instant help, no torch, exit codes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sparsescope.cli import evaluate as module
from sparsescope.cli.group import sparsescope
from sparsescope.errors import ArtefactError
from sparsescope.unexpected import DEBUG


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_help_imports_neither_torch_nor_anything_that_is_slow() -> None:
    done = python(
        "import sys\n"
        "from sparsescope.cli import sparsescope\n"
        "try:\n    sparsescope(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "slow = {'torch', 'torchvision', 'numpy', 'matplotlib', 'pydantic', 'scipy', 'skimage', 'sklearn'}\n"
        "sys.exit(', '.join(sorted(slow & set(sys.modules))) or 0)\n"
    )
    assert done.stderr == ""
    assert done.returncode == 0
    for command in ("evaluate", "inspect", "report", "demo"):
        assert command in done.stdout


def test_importing_the_package_imports_no_torch() -> None:
    assert python("import sys, sparsescope; sys.exit('torch' in sys.modules)").returncode == 0


def test_the_public_names_are_there() -> None:
    done = python(
        "import sparsescope as ss\n"
        "for name in ss.__all__:\n    getattr(ss, name)\n"
        "assert callable(ss.report) and callable(ss.evaluate) and callable(ss.plots.radar)\n"
        "assert set(ss.__all__) <= set(dir(ss))\n"
    )
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("raised", "code", "text"),
    [
        (ArtefactError("sparse.pt is empty."), 2, "Error: sparse.pt is empty."),
        (RuntimeError("boom"), 3, "RuntimeError: boom"),
        (
            KeyboardInterrupt(),
            130,
            "\nInterrupted. What has been measured is kept: the same command goes on from there.\n",
        ),
        (OSError(28, "No space left on device", "out/report.html"), 3, "No space left on device (out/report.html)"),
    ],
)
def test_errors_become_exit_codes(
    raised: BaseException, code: int, text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise raised

    monkeypatch.setattr(module, "run", fail)
    result = CliRunner().invoke(sparsescope, ["evaluate", "a.pt", "b.pt", "--data", "digits", "--out", str(tmp_path)])
    assert result.exit_code == code
    assert text in result.stderr


def test_an_interruption_says_what_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run", interrupted)
    monkeypatch.setattr("sparsescope.results.Evaluation.load", interrupted)
    arguments = ["evaluate", "a.pt", "b.pt", "--data", "digits", "--out", str(tmp_path), "--no-cache"]
    assert CliRunner().invoke(sparsescope, arguments).stderr == (
        "\nInterrupted. Nothing is kept, because of --no-cache.\n"
    )
    result = CliRunner().invoke(sparsescope, ["report", "evaluation.json"])
    assert (result.exit_code, result.stderr) == (130, "\nInterrupted. The same command starts anew.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "a.pt"],
        ["evaluate", "a.pt", "b.pt", "--gate", "maybe"],
        ["evaluate", "a.pt", "b.pt", "--batch-size", "0"],
        ["evaluate", "a.pt", "b.pt", "--mean", "a,b"],
        ["evaluate", "a.pt", "b.pt", "--workers", "0"],
        ["evluate"],
    ],
)
def test_wrong_usage_is_two(arguments: list[str]) -> None:
    assert CliRunner().invoke(sparsescope, arguments).exit_code == 2


def test_a_traceback_is_shown_to_those_who_ask_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("boom\x1b[2J")

    monkeypatch.setattr(module, "run", fail)
    monkeypatch.setenv(DEBUG, "")
    arguments = ["evaluate", "a.pt", "b.pt", "--data", "digits", "--out", str(tmp_path)]
    quiet = CliRunner().invoke(sparsescope, arguments)
    assert quiet.stderr.startswith("Error: evaluate failed: RuntimeError: boom\\x1b[2J (test_group.py, line ")
    assert len(quiet.stderr.splitlines()) == 1
    told = CliRunner().invoke(sparsescope, [*arguments, "--debug"])
    assert "Traceback (most recent call last)" in told.stderr and "\x1b" not in told.stderr
    assert told.exit_code == quiet.exit_code == 3
