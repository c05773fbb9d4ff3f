"""Networks without their removed channels, through a file: they compute what the masked network does."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from sparsescope.architectures import resolve
from sparsescope.checkpoints import describe, load_classifier, save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError
from sparsescope.pruning import channel_mask, remove_channels


def pruned(network: nn.Module) -> tuple[Classifier, Classifier]:
    """The masked network and the smaller one, with statistics that are not those of a new network."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias)
    mask = channel_mask(network, 0.5)
    smaller = Classifier(remove_channels(network, mask), (0.4,), (0.2,))
    mask.apply(network)
    return Classifier(network, (0.4,), (0.2,), mask=mask), smaller


@pytest.mark.parametrize("name", ["resnet20s", "vgg11_cifar", "digits_cnn"])
def test_the_file_is_smaller_and_computes_the_same(tmp_path: Path, name: str) -> None:
    masked, smaller = pruned(resolve(name).build())
    for path, classifier in (("masked.pt", masked), ("small.pt", smaller)):
        save_checkpoint(tmp_path / path, classifier, architecture=name)
    loaded = load_classifier(tmp_path / "small.pt")
    channels = next(iter(masked.module.parameters())).shape[1]
    images = torch.rand(3, channels, 32, 32, generator=torch.Generator().manual_seed(1))
    with masked.prepared(), loaded.prepared():
        torch.testing.assert_close(loaded(images), masked(images), rtol=1e-4, atol=1e-4)
    assert loaded.sparsity.parameters < 0.6 * masked.sparsity.parameters and loaded.origin.architecture == name
    assert (tmp_path / "small.pt").stat().st_size < 0.6 * (tmp_path / "masked.pt").stat().st_size
    assert [warning for warning in loaded.warnings if f"are narrower than those of {name}: " in warning]
    about = describe(tmp_path / "small.pt")
    assert about.parameters == loaded.sparsity.parameters and about.architecture == name
    assert any("narrower" in warning for warning in about.warnings)


def test_beside_the_dense_network_it_does_not_look_dense(tmp_path: Path) -> None:
    dense = Classifier(resolve("digits_cnn").build(), (0.5,), (0.5,))
    _, smaller = pruned(copy.deepcopy(dense.module))
    save_checkpoint(tmp_path / "small.pt", smaller, architecture="digits_cnn")
    warnings = load_classifier(tmp_path / "small.pt", dense=dense).warnings
    assert not any("looks dense" in warning for warning in warnings) and any("narrower" in w for w in warnings)


def test_a_network_of_the_users_own_is_narrowed_from_the_dense_one(tmp_path: Path) -> None:
    own = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(1), nn.Linear(4 * 16, 3))
    dense = Classifier(copy.deepcopy(own), (0.4,), (0.2,))
    masked, smaller = pruned(own)
    save_checkpoint(tmp_path / "small.pt", smaller, architecture="mine.py:net")
    images = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(load_classifier(tmp_path / "small.pt", dense=dense)(images), masked(images))
    with pytest.raises(ArtefactError, match=r"code that a file names is not run unasked"):
        load_classifier(tmp_path / "small.pt")


def test_weights_of_unknown_origin_are_not_taken_for_a_narrow_network(tmp_path: Path) -> None:
    _, smaller = pruned(resolve("digits_cnn").build())
    torch.save(smaller.module.state_dict(), tmp_path / "bare.pt")
    with pytest.raises(ArtefactError, match=r"does not fit the architecture digits_cnn"):
        load_classifier(tmp_path / "bare.pt", arch="digits_cnn")
