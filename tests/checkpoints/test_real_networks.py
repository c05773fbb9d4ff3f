"""Really trained and really pruned networks: architecture, sparsity and accuracy as published or measured before."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sparsescope.benchmark import ArrayImages
from sparsescope.checkpoints import describe, load_classifier

FOLDER = "checkpoints"


@pytest.mark.parametrize(
    ("file", "architecture", "sparsity"),
    [
        ("resnet20-12fca82f.th", "resnet20s", 0.0),
        ("resnet56-4bfd9763.th", "resnet56s", 0.0),
        ("resnet20_omp_s0.488.pt", "resnet20s", 0.488),
        ("resnet20_omp_s0.832.pt", "resnet20s", 0.832),
        ("resnet20_jpegft_dense.pt", "resnet20s", 0.0),
        ("resnet20_jpegft_omp_s0.488.pt", "resnet20s", 0.488),
        ("resnet20_jpegft_omp_s0.832.pt", "resnet20s", 0.832),
    ],
)
def test_architecture_and_sparsity_are_found(shared_data: Path, file: str, architecture: str, sparsity: float) -> None:
    classifier = load_classifier(shared_data / FOLDER / file)
    assert classifier.origin.architecture == architecture
    assert round(classifier.sparsity.prunable, 3) == sparsity
    guess, warning = classifier.warnings
    assert guess.startswith(f"architecture is a guess from names and shapes: {architecture}. ")
    assert load_classifier(shared_data / FOLDER / file, arch=architecture).warnings == (warning,)
    assert f"using {architecture}'s mean (0.485, 0.456, 0.406) and std (0.229, 0.224, 0.225)" in warning
    about = describe(shared_data / FOLDER / file)
    assert about.sparsity_prunable == classifier.sparsity.prunable and about.architecture == architecture


@pytest.mark.parametrize(
    ("file", "accuracy"),
    [
        ("resnet20-12fca82f.th", 0.915),
        ("resnet56-4bfd9763.th", 0.926),
        ("resnet20_omp_s0.832.pt", 0.282),
        ("resnet20_jpegft_omp_s0.488.pt", 0.910),
    ],
)
def test_accuracy(shared_data: Path, file: str, accuracy: float) -> None:
    with np.load(shared_data / "cifar10" / "test1000.npz") as arrays:
        images = ArrayImages(arrays["images"], arrays["labels"])
    classifier = load_classifier(shared_data / FOLDER / file, dense=None)
    assert images.labels is not None
    with torch.no_grad(), classifier.prepared():
        chunks = [classifier(images.read(range(start, start + 50))) for start in range(0, 1000, 50)]
    predicted = torch.cat(chunks).argmax(1).numpy()
    assert round(float((predicted == images.labels).mean()), 4) == accuracy


def test_candidates_of_a_real_dense_network(shared_data: Path) -> None:
    dense = load_classifier(shared_data / FOLDER / "resnet20-12fca82f.th")
    sparse = load_classifier(shared_data / FOLDER / "resnet20_omp_s0.488.pt", dense=dense)
    assert sparse.origin.architecture == "resnet20s" and not any("looks dense" in text for text in sparse.warnings)
    swapped = load_classifier(shared_data / FOLDER / "resnet20-12fca82f.th", dense=sparse)
    assert any("looks dense" in text for text in swapped.warnings)
    zeros = sparse.mask
    assert zeros is not None
    for name, tensor in dense.module.state_dict().items():  # pruned in one shot, not tuned: the rest is untouched
        kept = zeros.get(name)
        other = sparse.module.state_dict()[name]
        assert torch.equal(other, tensor if kept is None else torch.where(kept, tensor, torch.zeros(())))
