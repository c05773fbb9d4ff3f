"""The code of the how-to page on architectures runs, and its network is found and built as the page says."""

import re
from pathlib import Path

import torch

from sparsescope.architectures import resolve
from sparsescope.mask import head_weight

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-an-architecture.md"


def test_code(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "mine.py").write_text(code)
    architecture = resolve(f"{tmp_path / 'mine.py'}:tiny")
    module = architecture.build(num_classes=5, in_channels=1).eval()
    assert module(torch.zeros(2, 1, 32, 32)).shape == (2, 5)
    assert head_weight(module) == "8.weight"
    assert architecture.preprocessing is not None and architecture.preprocessing.size == 32
