"""The page on checks has a row for every check and every form of outputs, in their own words."""

from pathlib import Path

from sparsescope.evaluation.checks import CHECKS
from sparsescope.outputs import FORMS

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "checks.md").read_text(encoding="utf-8").splitlines()


def test_every_check_has_its_row_in_order() -> None:
    rows = [f"| {check.asks} | {check.how} | {check.then} | {check.cost} |" for check in CHECKS]
    assert [line for line in PAGE if line in rows] == rows


def test_every_form_has_its_row() -> None:
    rows = [f"| `{name}` | {form.help} |" for name, form in FORMS.items()]
    assert [line for line in PAGE if line.startswith("| `")] == rows
