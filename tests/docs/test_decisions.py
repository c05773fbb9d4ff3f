"""Decisions have names of their own, and the index lists each once; links between pages lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
FILES = sorted(DECISIONS.glob("[0-9]*.md"))
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])


def title(path: Path) -> str:
    """Return the first line of a page."""
    return path.read_text(encoding="utf-8").partition("\n")[0]


def test_numbers_names_and_titles_are_distinct() -> None:
    numbers, names = zip(*(path.stem.split("-", 1) for path in FILES), strict=True)
    assert [int(number) for number in numbers] == list(range(1, len(FILES) + 1))
    assert len(set(names)) == len(FILES)
    assert len({title(path).partition(". ")[2] for path in FILES}) == len(FILES)


def test_the_index_lists_every_decision_once_with_its_title() -> None:
    rows = re.findall(
        r"^\| \[(\d+)\]\(([^)]+)\) \| (.+) \|$", (DECISIONS / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert [name for _, name, _ in rows] == [path.name for path in FILES]
    assert [f"# {number}. {text}" for number, _, text in rows] == [title(path) for path in FILES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]
