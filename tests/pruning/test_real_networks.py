"""A really trained ResNet-20: masks that were made elsewhere, and a smaller network on real images."""

from pathlib import Path

import numpy as np
import pytest
import torch

import sparsescope as ss
from sparsescope.pruning import channel_mask, remove_channels


@pytest.fixture
def resnet20(shared_data: Path) -> ss.Classifier:
    return ss.load_classifier(shared_data / "checkpoints" / "resnet20-12fca82f.th")


@pytest.mark.parametrize("sparsity", ["0.488", "0.832"])
def test_the_magnitude_mask_is_the_one_made_elsewhere(
    shared_data: Path, resnet20: ss.Classifier, sparsity: str
) -> None:
    pruned = ss.load_classifier(shared_data / "checkpoints" / f"resnet20_omp_s{sparsity}.pt")
    mask = ss.prune("omp", resnet20, sparsity=float(sparsity))
    assert pruned.mask is not None
    assert all(torch.equal(kept, pruned.mask[name]) for name, kept in mask.items())


def test_a_smaller_network_predicts_what_the_masked_one_does(shared_data: Path, resnet20: ss.Classifier) -> None:
    pixels = np.load(shared_data / "cifar10" / "test1000.npz")["images"][:64]
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    mask = channel_mask(resnet20.module, 0.25)
    smaller = ss.Classifier(remove_channels(resnet20.module, mask), resnet20.mean, resnet20.std)
    mask.apply(resnet20.module)
    with resnet20.prepared(), smaller.prepared(), torch.no_grad():
        expected, found = resnet20(images), smaller(images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert smaller.sparsity.parameters < 0.8 * resnet20.sparsity.parameters
