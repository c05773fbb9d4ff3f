"""Channel pruning: what is removed, and that the smaller network computes what the masked one does."""

import copy

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

import sparsescope as ss
from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.architectures.digits_cnn import digits_cnn
from sparsescope.errors import InputError, OptionError
from sparsescope.mask import Mask
from sparsescope.pruning import channel_mask, remove_channels
from sparsescope.pruning.channel_graph import inner_layers


class Plain(nn.Module):
    """Convolutions with biases, functional calls, a linear layer that reads flattened channels, no BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 4, 3, padding=1)
        self.hidden = nn.Linear(4 * 4 * 4, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, images: Tensor) -> Tensor:
        features = functional.max_pool2d(torch.sigmoid(self.first(images)), 2)
        features = functional.relu(self.second(features))
        logits: Tensor = self.head(self.hidden(features.view(features.size(0), -1)).relu())
        return logits


NETWORKS = {
    "resnet20s": (resnet20s, (3, 16, 16)),
    "digits_cnn": (digits_cnn, (1, 16, 16)),
    "plain": (Plain, (3, 8, 8)),
    "bottleneck": (
        lambda: torchvision.models.ResNet(torchvision.models.resnet.Bottleneck, [1, 1, 1, 1], num_classes=4),
        (3, 32, 32),
    ),
    "depthwise": (lambda: torchvision.models.mobilenet_v2(num_classes=4, width_mult=0.25), (3, 32, 32)),
}


def network_of(kind: str) -> tuple[nn.Module, Tensor]:
    """A network in float64 with BatchNorm statistics and offsets that are not those of a new one, and images."""
    build, shape = NETWORKS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build().double()
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias)
        return network, torch.rand(4, *shape, dtype=torch.float64)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("training", [False, True])
def test_the_smaller_network_computes_what_the_masked_one_does(kind: str, training: bool) -> None:
    network, images = network_of(kind)
    before = copy.deepcopy(network.state_dict())
    mask = channel_mask(network, 0.5)
    smaller = remove_channels(network, mask)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    masked = copy.deepcopy(network)
    mask.apply(masked)
    for model in (masked, smaller):
        model.train(training)
        for layer in model.modules():
            if isinstance(layer, nn.Dropout):
                layer.eval()
    expected = masked(images)
    torch.testing.assert_close(smaller(images), expected, rtol=1e-9, atol=1e-11)
    assert not torch.allclose(network.train(training)(images), expected)
    assert count(smaller) < count(network)


def test_resnets_lose_the_inner_channels_of_each_block_alone() -> None:
    """As in Li et al. 2017: of ResNet-20's blocks with C channels, half the filters of conv1 and inputs of conv2."""
    network = resnet20s()
    assert [layer.name for layer in inner_layers(network)] == [
        f"layer{stage}.{block}.conv1" for stage in (1, 2, 3) for block in range(3)
    ]
    smaller = remove_channels(network, channel_mask(network, 0.5))
    gone = 0
    for channels, inputs in ((16, [16] * 3), (32, [16, 32, 32]), (64, [32, 64, 64])):
        gone += sum(channels // 2 * (9 * n + 2 + 9 * channels) for n in inputs)  # filters, BatchNorm, what reads them
    assert count(network) - count(smaller) == gone
    assert smaller.layer2[0].conv1.out_channels == 16 and smaller.layer2[0].bn1.num_features == 16


def test_the_smallest_filters_of_each_layer_go() -> None:
    network = Plain()
    norms = {name: getattr(network, name).weight.detach().abs().sum((1, 2, 3)) for name in ("first", "second")}
    mask = channel_mask(network, 0.5)
    for name, norm in norms.items():
        kept = mask[f"{name}.weight"].flatten(1).any(1)
        assert int(kept.sum()) == len(norm) // 2
        assert float(norm[kept].min()) >= float(norm[~kept].max())
    read = mask["hidden.weight"].view(5, 4, 16)  # 16 places of each channel
    assert torch.equal(read.all(2).all(0), mask["second.weight"].flatten(1).any(1))
    assert "head.weight" not in mask


def test_skip_and_one_channel_is_left() -> None:
    network = Plain()
    mask = channel_mask(network, 0.99, skip=["first"])
    assert bool(mask["first.weight"].all())
    assert int(mask["second.weight"].flatten(1).any(1).sum()) == 1
    with pytest.raises(OptionError, match="Cannot skip head, third: channels can be removed from first, second"):
        channel_mask(network, 0.5, skip=["third", "head"])


def test_channels_that_another_layer_still_reads_stay() -> None:
    network = Plain()
    mask = channel_mask(network, 0.5)
    kept = mask["second.weight"].clone()
    gone = int((~mask["first.weight"].flatten(1).any(1)).nonzero()[0])
    kept[0, gone, 1, 1] = True
    smaller = remove_channels(network, Mask({**mask, "second.weight": kept}))
    assert smaller.first.out_channels == 4
    unstructured = ss.prune("omp", network, sparsity=0.5)
    assert count(remove_channels(network, unstructured)) == count(network)


class Strange(nn.Module):
    """What may look like channels alone, and is not, in `kind`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.next = nn.Conv2d(8, 8, 3, padding=1, groups=2 if kind == "grouped" else 1)
        self.norm = nn.GroupNorm(2, 8)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.last = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        features = self.conv(images)
        if self.kind == "group_norm":
            features = self.norm(features)
        elif self.kind == "softmax":
            features = features.softmax(1)
        elif self.kind == "slice":
            features = torch.cat([features[:, 4:], features[:, :4]], 1)
        elif self.kind == "fixed_view":
            features = features.view(-1, 8, 8, 8)
        elif self.kind == "mean_of_channels":
            features = features - features.mean((1, 2))[:, None, None]
        elif self.kind == "linear_over_width":
            return self.last(features).mean((1, 2))
        elif self.kind == "twice":
            features = self.next(self.next(features))
        behind = self.next(features) + features if self.kind == "residual" else self.next(features)
        logits: Tensor = self.last(torch.flatten(self.pool(behind), 1))
        return logits


@pytest.mark.parametrize(
    "kind",
    [
        "residual",
        "grouped",
        "group_norm",
        "softmax",
        "slice",
        "fixed_view",
        "mean_of_channels",
        "linear_over_width",
        "twice",
    ],
)
def test_what_mixes_channels_keeps_them(kind: str) -> None:
    assert "conv" in [layer.name for layer in inner_layers(Strange("nothing"))]
    assert "conv" not in [layer.name for layer in inner_layers(Strange(kind))]


class Branching(nn.Module):
    """Tracing cannot follow a decision that depends on values."""

    def forward(self, images: Tensor) -> Tensor:
        return images if images.sum() > 0 else -images


def test_wrong_use() -> None:
    with pytest.raises(InputError, match=r"networks that torch.fx traces, but tracing failed"):
        channel_mask(Branching(), 0.5)
    with pytest.raises(InputError, match="whose channels can be removed alone, but there are none"):
        channel_mask(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softmax(1), nn.Flatten()), 0.5)
    with pytest.raises(OptionError, match="at least 0 and below 1, but got 1"):
        channel_mask(Plain(), 1)
    network = Plain()
    with pytest.raises(OptionError, match="Expected skip to be names in a list, but got 'first'"):
        channel_mask(network, 0.5, skip="first")
    network.first.weight.data[0] = torch.nan
    with pytest.raises(InputError, match="first has nan or infinite"):
        channel_mask(network, 0.5)
