"""The history for TensorBoard, and what is said where it is not installed."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from sparsescope.errors import OptionError
from sparsescope.training import Epoch, TensorBoard


def test_scalars_are_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written: list[tuple[str, float, int]] = []

    class SummaryWriter:
        def __init__(self, directory: str) -> None:
            assert directory == str(tmp_path)

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

        def close(self) -> None:
            written.append(("closed", 0.0, 0))

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    board = TensorBoard(tmp_path)
    board(Epoch(3, 0.5, 0.75, 0.1, 0.2, 9.0, test_accuracy=0.0))
    board.close()
    assert written == [
        ("train/loss", 0.5, 3),
        ("train/accuracy", 0.75, 3),
        ("test/accuracy", 0.0, 3),
        ("learning_rate", 0.1, 3),
        ("sparsity", 0.2, 3),
        ("closed", 0.0, 0),
    ]


def test_without_tensorboard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(OptionError, match=r"TensorBoard is not installed .*pip install 'sparsescope\[tensorboard\]'"):
        TensorBoard(tmp_path)
