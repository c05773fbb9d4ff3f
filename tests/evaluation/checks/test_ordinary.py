"""No false alarm: ordinary networks, with random weights or really trained, get no word from any check."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sparsescope.architectures import resolve
from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.evaluation import Execution, evaluate_task, open_task
from sparsescope.evaluation import resolve as settings_of
from sparsescope.evaluation.checks import check_models, images_to_show
from sparsescope.metrics.base import RestsOn


def convolutional(norm: Callable[[int], nn.Module], activation: nn.Module, *end: nn.Module) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), norm(8), activation, nn.Conv2d(8, 16, 3, 2), norm(16), activation,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, 4), *end,
    )  # fmt: skip


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.encoder(self.patches(images).flatten(2).mT).mean(1))
        return logits


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(768, 4)),
    "two classes": lambda: nn.Sequential(nn.Flatten(), nn.Linear(768, 2)),
    "batch norm": lambda: convolutional(nn.BatchNorm2d, nn.ReLU()),
    "instance norm": lambda: convolutional(lambda n: nn.InstanceNorm2d(n, affine=True), nn.GELU()),
    "group norm": lambda: convolutional(lambda n: nn.GroupNorm(2, n), nn.SiLU()),
    "no norm, saturating": lambda: convolutional(lambda n: nn.Identity(), nn.ReLU6()),
    "rectified outputs": lambda: convolutional(nn.BatchNorm2d, nn.ReLU(), nn.ReLU()),
    "attention": Attention,
    "resnet20s": lambda: resolve("resnet20s").build(),
    "squeezenet": lambda: resolve("torchvision:squeezenet1_1").build(num_classes=10),
    "shufflenet": lambda: resolve("torchvision:shufflenet_v2_x0_5").build(num_classes=10),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_random_weights(name: str, benchmark: Benchmark) -> None:
    images = images_to_show(benchmark.test)
    if name in ("squeezenet", "shufflenet"):
        images = nn.functional.interpolate(images, size=64)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        classifier = Classifier(NETWORKS[name]())
    reads: list[RestsOn] = ["probabilities", "logits", "images", "weights"]
    (noticed,) = check_models([classifier], images, None, reads).values()
    assert classifier.warnings == () and not noticed.doubts and not noticed.constant


def test_trained_networks(shared_data: Path) -> None:
    files = [shared_data / "checkpoints" / name for name in ("resnet20-12fca82f.th", "resnet20_omp_s0.832.pt")]
    with np.load(shared_data / "cifar10" / "test1000.npz") as archive:
        images = ArrayImages(archive["images"][:250], archive["labels"][:250], "cifar10")
        task = open_task(
            files[0], files[1:], Benchmark("cifar10", images, classes=tuple(archive["classes"].astype(str)))
        )
    before = [classifier.warnings for classifier in task.classifiers]
    evaluation = evaluate_task(
        task, settings_of(metrics=["accuracy", "ece", "fgsm_accuracy", "weight_trace"]), Execution("cpu", cache=False)
    )
    assert [model.warnings for model in evaluation.models] == before
    assert evaluation["accuracy"].values["resnet20-12fca82f"].value > 0.85
