"""A tiny task on disk: 1 x 12 x 12 images of three easy classes, as npz files in the working folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_task import write_images

from sparsescope.datasets import open_images
from sparsescope.sweeps import SweepRecipe, Workshop
from sparsescope.training import Recipe

RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=0.05, rewind_epoch=1)


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with `test.npz` (30 images) and `train.npz` (40)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARSESCOPE_CACHE", str(tmp_path / "cache"))
    write_images(tmp_path / "test.npz", 30, 1)
    write_images(tmp_path / "train.npz", 40, 2)
    return tmp_path


class Trained(list[str]):
    """Collects the names of the runs in which something was trained, one for each."""

    def __call__(self, run: str, fraction: float, line: str) -> None:
        if run not in self and line.startswith("epoch"):
            self.append(run)


@pytest.fixture
def trained() -> Trained:
    return Trained()


@pytest.fixture
def make_workshop(task: Path) -> Callable[..., Workshop]:
    def make(folder: str = "runs", architecture: str = "digits_cnn_small", **changes: Any) -> Workshop:
        options = {"options": {"rigl": {"every": 2}}, "recipe": RECIPE, **changes}
        return Workshop(Path(folder), architecture, open_images("npz:train.npz"), **options)

    return make


@pytest.fixture
def make_recipe(task: Path) -> Callable[..., SweepRecipe]:
    def make(**changes: Any) -> SweepRecipe:
        values: dict[str, Any] = {
            "name": "tiny",
            "data": "npz:test.npz",
            "train": "npz:train.npz",
            "architecture": "digits_cnn_small",
            "methods": ["omp", "lth"],
            "rounds": [1, 2],
            "training": {"recipe": "digits", "epochs": 2, "rewind_epoch": 1, "batch_size": 16},
            "evaluation": {"preset": "quick", "only": ["accuracy", "ece"], "replicates": 100},
        }
        return SweepRecipe.model_validate(values | changes)

    return make
