"""The code of the how-to page on architectures runs: as a file of the user's, and built in by the page's line."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from forms_page import add_file, check_table, code_blocks

from sparsescope.architectures import BUILT_IN, LIBRARIES, Architecture, catalogue, match, resolve
from sparsescope.cli.group import sparsescope
from sparsescope.mask import head_weight

PAGE = "add-an-architecture.md"
CODE, LINE = code_blocks(PAGE)


def check(architecture: Architecture) -> None:
    module = architecture.build(num_classes=5, in_channels=1).eval()
    assert module(torch.zeros(2, 1, 32, 32)).shape == (2, 5)
    assert head_weight(module) == "8.weight"
    assert architecture.preprocessing is not None and architecture.preprocessing.size == 32


def test_a_file_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CODE)
    check(resolve(f"{tmp_path / 'mine.py'}:tiny"))


def test_built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_file(monkeypatch, tmp_path, "sparsescope.architectures.mine", CODE)
    ((name, entry),) = eval(f"[{LINE}]", vars(catalogue))
    monkeypatch.setitem(BUILT_IN, name, entry)
    check(resolve("tiny"))
    tensors = resolve("tiny").build(num_classes=7).state_dict()
    assert match({key: tuple(tensor.shape) for key, tensor in tensors.items()}) == "tiny"
    assert "tiny" in CliRunner().invoke(sparsescope, ["inspect", "--help"], env={"COLUMNS": "300"}).output


def test_the_page_lists_the_architectures() -> None:
    check_table(PAGE, [*BUILT_IN.values(), *LIBRARIES.values()])
