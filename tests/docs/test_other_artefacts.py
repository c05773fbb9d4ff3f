"""The page on artefacts has a row for every kind, in its own words."""

from pathlib import Path

from sparsescope.checkpoints import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "other-artefacts.md").read_text(encoding="utf-8").splitlines()


def test_every_kind_has_its_row_in_order() -> None:
    extras = {kind.name: f"`sparsescope[{kind.extra}]`" if kind.extra else "–" for kind in KINDS}
    rows = [f"| {kind.name} | {kind.how} | {extras[kind.name]} | {kind.measured} |" for kind in KINDS]
    assert [line for line in PAGE if line in rows] == rows
