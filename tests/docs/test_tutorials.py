"""Every tutorial runs from top to bottom, and prints what it shows, digits aside."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

TUTORIALS = sorted((Path(__file__).parents[2] / "docs" / "tutorials").glob("*.md"))


def run(page: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Execute a page's code in one session; return its names, and what each block printed and the page shows."""
    session: dict[str, Any] = {}
    found = []
    for code, shown in re.findall(r"```python\n(.*?)```\n*(?:```text\n(.*?)```)?", page, flags=re.DOTALL):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, session)
        found.append((printed.getvalue(), shown))
    return session, found


def first_words(text: str) -> list[str]:
    """What does not hang on the last digit: where every line begins, and how many there are."""
    return [re.sub(r"[\d.]+", "#", line.split()[0]) for line in text.splitlines()]


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_it_runs_and_prints_what_it_shows(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session, blocks = run(path.read_text(encoding="utf-8"))
    assert len(blocks) > 3
    for printed, shown in blocks:
        assert first_words(printed) == first_words(shown), printed
    if path.stem == "what-pruning-takes-away":  # what its text says of the numbers
        bare, tuned = (session["evaluation"].verdict(name).metrics for name in ("bare", "tuned"))
        assert bare["accuracy"].outcome == "fail" and bare["input_trace"].outcome == "pass"
        assert tuned["accuracy"].outcome != "fail"
        assert {tuned[name].outcome for name in ("ece", "input_trace")} == {"fail"}
        assert tuned["corruption_error"].outcome == "inconclusive"
        assert (tmp_path / "digits-report" / "report.html").exists()
