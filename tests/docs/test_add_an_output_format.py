"""A CSV of all values is one file and one line, those of the how-to page, and is written wherever a report is."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from fake_evaluation import MODELS, make_light_evaluation
from forms_page import add_file, code_blocks
from report_files import FILES

from sparsescope import report
from sparsescope.cli.group import sparsescope
from sparsescope.reporting.formats import FORMATS

CODE, LINE = code_blocks("add-an-output-format.md")
NAME = "metrics.csv"


@pytest.fixture
def csv_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").mkdir()
    add_file(monkeypatch, tmp_path / "source", "sparsescope.reporting.metrics_csv", CODE)
    for name, place in eval("{" + LINE + "}").items():
        monkeypatch.setitem(FORMATS, name, place)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("csv_format")
def test_python(tmp_path: Path) -> None:
    evaluation = make_light_evaluation(MODELS)
    paths = report(evaluation, tmp_path / "out")
    assert tuple(paths) == (*FILES, NAME)
    found = {(row["metric"], row["model"]): row for row in rows(paths[NAME])}
    assert len(found) == len(evaluation.metrics) * len(MODELS)
    for metric in evaluation.metrics:
        for model, measured in metric.values.items():
            row = found[metric.name, model]
            assert row["value"] == ("" if measured.value is None else repr(measured.value))
            assert (row["low"], row["high"]) == tuple(map(repr, measured.interval or ())) or measured.interval is None
    both = report([evaluation, make_light_evaluation()], tmp_path / "both")
    assert len(rows(both[NAME])) > len(found)


@pytest.mark.usefixtures("csv_format")
def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_light_evaluation().save("mine.json")
    result = CliRunner().invoke(sparsescope, ["report", "mine.json", "--out", "out"])
    assert result.output.splitlines()[-1] == f"  out/{NAME}" and rows(tmp_path / "out" / NAME)
    for command in ("report", "evaluate"):
        assert NAME in CliRunner().invoke(sparsescope, [command, "--help"], env={"COLUMNS": "300"}).output


@pytest.mark.usefixtures("csv_format")
def test_evaluate_writes_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = make_light_evaluation()
    monkeypatch.setattr("sparsescope.evaluation.open_task", lambda *models, **options: None)
    monkeypatch.setattr("sparsescope.evaluation.evaluate_task", lambda *steps: evaluation)
    arguments = ["evaluate", "dense.pt", "sparse.pt", "--data", "digits", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(sparsescope, arguments)
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "out" / NAME) in result.stderr
    assert {row["model"] for row in rows(tmp_path / "out" / NAME)} == {model.name for model in evaluation.models}


def test_nothing_of_it_is_left_and_the_list_imports_nothing_heavy() -> None:
    assert NAME not in FORMATS
    code = (
        "import sys, sparsescope.reporting.formats\n"
        "sys.exit(str({'torch', 'matplotlib', 'pydantic', 'jinja2'} & set(sys.modules) or '') or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
