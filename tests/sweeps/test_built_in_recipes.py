"""Every built-in sweep runs: on generated images of the right shape, dense, small and a ticket of each method."""

import dataclasses
import hashlib
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CIFAR10, CIFAR100

from sparsescope.checkpoints import load_classifier
from sparsescope.evaluation import evaluate_task, open_task
from sparsescope.mask import prunable_weights
from sparsescope.pruning import CATALOGUE
from sparsescope.sweeps import Resources, SweepRecipe, load_sweep, make_ticket, make_workshop, open_data, sweep_names

NARROW = """
from sparsescope.architectures.resnet import Bottleneck, ResNet
from sparsescope.architectures.wide_resnet import WideResNet


def wide_resnet28_10(num_classes=10, in_channels=3):
    return WideResNet(28, 0.5, num_classes, in_channels)


def resnet50(num_classes=1000, in_channels=3):
    widths = (8, 8, 8, 16, 32)
    return ResNet(Bottleneck, (3, 4, 6, 3), widths, stem="imagenet", num_classes=num_classes, in_channels=in_channels)
"""
STAND_INS = {"wide_resnet28_10": "narrow.py:wide_resnet28_10", "torchvision:resnet50": "narrow.py:resnet50"}
"""The two networks that are too large for a test, in their own depth and a small width."""


def write_cifar(monkeypatch: pytest.MonkeyPatch, kind: Any, names: list[str], key: str) -> None:
    """Write a folder as published below `data`, an image in each test batch and five in training."""
    rng = np.random.default_rng(len(names))
    folder = Path("data") / kind.base_folder
    folder.mkdir(parents=True)

    def write(name: str, entries: dict[str, Any]) -> list[str]:
        content = pickle.dumps(entries)
        (folder / name).write_bytes(content)
        return [name, hashlib.md5(content).hexdigest()]

    for attribute, size in (("test_list", 3), ("train_list", 5)):
        files = getattr(kind, attribute)
        count = size // len(files) or 1
        batches = (
            {
                "data": rng.integers(0, 256, (count, 3 * 32 * 32), dtype=np.uint8),
                key: [(7 * (place + row)) % len(names) for row in range(count)],
            }
            for place in range(len(files))
        )
        sums = [write(name, batch) for (name, _), batch in zip(files, batches, strict=True)]
        monkeypatch.setattr(kind, attribute, sums)
    _, digest = write(kind.meta["filename"], {kind.meta["key"]: names})
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": digest})


def write_imagenet() -> None:
    """Write `data/train`, `data/val` and `imagenet-o` with few images of noise in few class folders."""
    rng = np.random.default_rng(0)
    for place, count in (("data/train", 2), ("data/val", 1), ("imagenet-o", 1)):
        for synset in ("n01440764", "n02123045"):
            folder = Path(place, synset)
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (230, 260, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")


@pytest.fixture
def tiny(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The recipe of a name with two epochs of few images; its data and out-of-distribution set are where it says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARSESCOPE_CACHE", str(tmp_path / "cache"))
    Path("narrow.py").write_text(NARROW, encoding="utf-8")
    synflow = dataclasses.replace(CATALOGUE["synflow"], steps=2)  # 100 of them take minutes
    monkeypatch.setitem(CATALOGUE, "synflow", synflow)
    name: str = request.param
    if name.startswith("cifar"):
        write_cifar(monkeypatch, CIFAR10, [f"class {n}" for n in range(10)], "labels")
        write_cifar(monkeypatch, CIFAR100, [f"class {n}" for n in range(100)], "fine_labels")
    if name.startswith("imagenet"):
        write_imagenet()
    recipe = load_sweep(name)
    few: dict[str, Any] = {"epochs": 2, "batch_size": 256 if name == "digits-mini" else 2}
    training = {**few, "rewind_epoch": 1, "methods": dict.fromkeys(recipe.own_recipes, few)}
    yield load_sweep(
        name,
        rounds=recipe.rounds[:1],
        training=training,
        architecture=STAND_INS.get(recipe.architecture, recipe.architecture),
        score_images=20 if name == "digits-mini" else 4,
        options={"rigl": {"every": 2}},
        evaluation={"only": ["accuracy", "ood_auroc"], "replicates": 100},
    )
    shutil.rmtree(tmp_path)  # hundreds of megabytes of checkpoints


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sparsescope.errors.SparsescopeWarning")  # 200 classes; layers of few weights
@pytest.mark.parametrize("tiny", sweep_names(), indirect=True)
def test_a_built_in_sweep_makes_a_ticket_by_every_method(tiny: SweepRecipe) -> None:
    benchmark, target, trained = open_data(tiny), tiny.grid[0], tiny.trained()
    assert benchmark.test.shape == {"cifar": (3, 32, 32), "image": (3, 224, 224)}.get(tiny.name[:5], (1, 32, 32))
    workshop = make_workshop(tiny, benchmark, Path("out"), 0, Resources())
    assert tiny.small is not None
    networks = [workshop.small(tiny.small)]
    for method in tiny.methods:
        checkpoint = make_ticket(workshop, method, target)
        how = trained[method]
        assert len(workshop.history(checkpoint)) == how.epochs - how.first
        made = load_classifier(checkpoint, arch=tiny.architecture)
        weights = prunable_weights(made.module)
        assert made.mask is not None
        removed = sum(int((~made.mask[name]).sum()) for name in weights)
        assert removed == round(target * sum(weight.numel() for weight in weights.values()))
        assert not any(weight[~made.mask[name]].any() for name, weight in weights.items())
        networks.append(checkpoint)
    dense = load_classifier(workshop.dense_checkpoint, arch=tiny.architecture, name="dense")
    specs = (tiny.small, tiny.architecture)
    candidates = [load_classifier(path, arch=arch) for path, arch in zip(networks[:2], specs, strict=True)]
    task = open_task(dense, candidates, benchmark)
    evaluation = evaluate_task(task, tiny.evaluation.settings(), Resources(cache=False).execution())
    values = [(metric.name, value) for metric in evaluation.metrics for value in metric.values.values()]
    assert not [(name, value) for name, value in values if value.value is None]
