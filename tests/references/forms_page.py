"""How-to pages: the tables of members say what the catalogues' entries say, and the code is what a new member needs."""

import importlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from sparsescope.specs import Entry

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"


def code_blocks(page: str) -> list[str]:
    """Return the Python code of a page, block by block."""
    return re.findall(r"```python\n(.*?)```", (HOW_TO / page).read_text(encoding="utf-8"), re.DOTALL)


def check_table(page: str, entries: Iterable[Entry]) -> None:
    """Check that a page's table `| SPEC | what it is |` has these entries, and no others."""
    rows = [line for line in (HOW_TO / page).read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert rows == [f"| `{entry.form}` | {entry.help} |" for entry in entries]


def add_file(monkeypatch: pytest.MonkeyPatch, folder: Path, module: str, code: str) -> None:
    """Let a module of the package be there, as if its file had been saved in the package's folder."""
    package, _, name = module.rpartition(".")
    home = importlib.import_module(package)
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(home, "__path__", [*home.__path__, str(folder)])
    monkeypatch.setitem(sys.modules, module, None)  # so that what is imported meanwhile is forgotten afterwards
    monkeypatch.setattr(home, name, None, raising=False)
    del sys.modules[module]
