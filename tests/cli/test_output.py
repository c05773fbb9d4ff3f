"""What is printed of files and names cannot command the terminal."""

from io import StringIO
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from fake_evaluation import make_evaluation, make_light_evaluation
from rich.text import Text

from sparsescope import cli
from sparsescope.cli.console import SafeConsole
from sparsescope.cli.group import sparsescope
from sparsescope.cli.output import echo
from sparsescope.cli.table import print_summary
from sparsescope.reporting import report

HOSTILE = "layer\x1b[2J\x1b]0;title\x07"


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"Written: {HOSTILE}\n")
    echo(HOSTILE, err=True)
    found = capsys.readouterr()
    assert found.out == "Written: layer\\x1b[2J\\x1b]0;title\\x07\n\n"
    assert found.err == "layer\\x1b[2J\\x1b]0;title\\x07\n"


def test_a_console_keeps_its_own_colors() -> None:
    file = StringIO()
    SafeConsole(file=file, force_terminal=True, color_system="standard").print(Text(HOSTILE, style="red"))
    assert file.getvalue() == "\x1b[31mlayer\\x1b[2J\\x1b]0;title\x1b[0m\n"


def test_layers_of_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "weights\x1b[2J.pt"
    torch.save({f"{HOSTILE}.weight": torch.ones(2, 2)}, path)
    result = CliRunner().invoke(sparsescope, ["inspect", str(path)])
    assert result.exit_code == 0
    assert "\x1b" not in result.output and "layer\\x1b[2J" in result.output and "weights\\x1b[2J.pt" in result.output


def test_errors_name_files(tmp_path: Path) -> None:
    result = CliRunner().invoke(sparsescope, ["inspect", str(tmp_path / HOSTILE)])
    assert result.exit_code == 2
    assert "\x1b" not in result.output and "layer\\x1b[2J" in result.output


def test_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(make_evaluation(("dense", HOSTILE)))
    assert "\x1b" not in capsys.readouterr().out


def test_pages(tmp_path: Path) -> None:
    for path in report(make_light_evaluation(("dense", HOSTILE)), tmp_path).values():
        if path.suffix in (".html", ".md", ".xml", ".svg"):
            assert not {"\x1b", "\x07"} & set(path.read_text()), path


def test_no_command_prints_past_it() -> None:
    files = Path(cli.__file__).parent.glob("*.py")
    assert not [file.name for file in files if file.name != "output.py" and "click.echo(" in file.read_text()]
