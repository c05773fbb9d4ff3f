"""The code of the how-to page on pruning methods runs."""

import re
from pathlib import Path

import torch
from torch import nn

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-pruning-method.md"


def test_code(small_network: nn.Module) -> None:
    names = {"model": small_network, "batches": [(torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 3]))]}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(code, str(PAGE), "exec"), names)
    assert names["mask"].method == "fisher"
