"""The code of the how-to pages on pruning runs, and does what they say."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

FOLDER = Path(__file__).parents[2] / "docs" / "how-to"


def run(page: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the blocks of a page one after the other; return the names as each leaves them."""
    left = []
    for code in re.findall(r"```python\n(.*?)```", (FOLDER / page).read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(code, page, "exec"), names)
        left.append(dict(names))
    return left


def test_a_method_of_ones_own(small_network: nn.Module) -> None:
    names = {"model": small_network, "batches": [(torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 3]))]}
    _, lamp, fisher = run("add-a-pruning-method.md", names)
    assert lamp["mask"].method == "lamp" and abs(lamp["mask"].sparsity - 0.9) < 1e-2
    assert fisher["mask"].method == "fisher" and abs(fisher["mask"].sparsity - 0.8) < 1e-2


def test_ones_own_loop(small_network: nn.Module) -> None:
    rng = torch.Generator().manual_seed(0)
    batches = [(torch.rand(4, 3, 8, 8, generator=rng), torch.tensor([0, 1, 2, 3])) for _ in range(8)]
    before = {name: tensor.clone() for name, tensor in small_network.state_dict().items()}
    names = {"model": small_network, "batches": batches, "device": "cpu"}
    fixed, moving = run("prune-in-your-loop.md", names)
    for mask, average in ((fixed["mask"], fixed["average"]), (moving["rigl"].mask, moving["average"])):
        averaged = dict(average.module.named_parameters())
        assert abs(mask.sparsity - 0.8) < 1e-2
        assert all(not averaged[name][~kept].any() for name, kept in mask.items())
    weights = dict(small_network.named_parameters())
    assert all(not weights[name][~kept].any() for name, kept in moving["rigl"].mask.items())
    assert not torch.equal(weights["0.weight"], before["0.weight"])
