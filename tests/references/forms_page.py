"""Pages that list the members of a catalogue say what its entries say."""

from pathlib import Path

from sparsescope.specs import Catalogue, Entry

DOCS = Path(__file__).parents[2] / "docs"


def check_table(page: Path, catalogue: Catalogue[Entry]) -> None:
    """Check that a page's table `| SPEC | what it is |` has the entries of a catalogue, and no others."""
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert rows == [f"| `{entry.form}` | {entry.help} |" for entry in catalogue.values()]
