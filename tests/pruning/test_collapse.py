"""Layer collapse is never silent."""

import re
import warnings

import pytest
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

import sparsescope as ss
from sparsescope.errors import SparsescopeWarning
from sparsescope.mask import Mask
from sparsescope.pruning import lth
from sparsescope.pruning.collapse import collapsed_layers, warn_of_collapse


def test_a_removed_shortcut_is_named() -> None:
    network = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=4)
    shortcut = network.layer2[0].downsample[0]
    shortcut.weight.data.mul_(1e-6)
    with pytest.warns(
        SparsescopeWarning, match=re.escape("the mask of omp removes every weight of layer2.0.downsample.0.weight.")
    ):
        ss.prune("omp", network, sparsity=0.5)


@pytest.mark.parametrize("way", ["prune", "lth"])
def test_every_way_to_a_mask_warns(way: str) -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    network[1].weight.data.mul_(1e-6)
    with pytest.warns(SparsescopeWarning, match=r"removes every weight of 1.weight"):
        if way == "prune":
            ss.prune("omp", network, sparsity=0.5)
        else:
            list(lth(network, lambda *_: None, 0.5, rate=0.5))


@pytest.mark.parametrize(
    ("method", "advice"), [("omp", "'erk', or SynFlow."), ("synflow", "scope='layerwise' or 'erk'.")]
)
def test_synflow_is_not_told_to_be_synflow(method: str, advice: str) -> None:
    with pytest.warns(SparsescopeWarning, match=re.escape(advice) + "$"):
        warn_of_collapse(Mask({"a": torch.tensor([False])}, method=method))


def test_one_weight_left_is_no_collapse() -> None:
    mask = Mask({"a": torch.tensor([False, True]), "b": torch.tensor([False])})
    assert collapsed_layers(mask) == ["b"]
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ss.prune("omp", network, sparsity=30 / 32, scope="layerwise")
