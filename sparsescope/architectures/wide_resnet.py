"""The wide ResNets of Zagoruyko & Komodakis 2016: normalisation and activation before every convolution.

Parameter names are those of xternalz/WideResNet-pytorch, which the published code of the lottery-ticket study uses too.
"""

from torch import Tensor, nn
from typing_extensions import override

from sparsescope.preprocessing import CIFAR10

__all__ = ["WideResNet", "wide_resnet28_10", "wide_resnet28_10_small"]

PREPROCESSING = CIFAR10


class PreActivationBlock(nn.Module):
    """Twice normalisation, activation and a 3 x 3 convolution, and a shortcut.

    Where the number of channels changes, the shortcut is a 1 x 1 convolution of the first activation; else it is the
    input as it came.
    """

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.convShortcut = (
            None if in_channels == channels else nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False)
        )

    @override
    def forward(self, images: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / stride, W / stride)."""
        activated = self.relu1(self.bn1(images))
        residual = self.conv2(self.relu2(self.bn2(self.conv1(activated))))
        shortcut = images if self.convShortcut is None else self.convShortcut(activated)
        output: Tensor = residual + shortcut
        return output


class Stage(nn.Module):
    """Blocks of the same number of channels; the first one has the stride."""

    def __init__(self, blocks: int, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        first = PreActivationBlock(in_channels, channels, stride)
        self.layer = nn.Sequential(first, *(PreActivationBlock(channels, channels, 1) for _ in range(blocks - 1)))

    @override
    def forward(self, images: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / stride, W / stride)."""
        output: Tensor = self.layer(images)
        return output


class WideResNet(nn.Module):
    """A stem of 16 channels, three stages of 16, 32 and 64 channels times the widening factor, a linear head.

    Args:
        depth: number of layers, 6 * blocks + 4.
        widening: factor k of the channels; they are rounded.
        num_classes: number of logits.
        in_channels: channels of the images.
    """

    def __init__(self, depth: int, widening: float, num_classes: int, in_channels: int) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        narrow, middle, wide = (round(channels * widening) for channels in (16, 32, 64))
        self.conv1 = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.block1 = Stage(blocks, 16, narrow, stride=1)
        self.block2 = Stage(blocks, narrow, middle, stride=2)
        self.block3 = Stage(blocks, middle, wide, stride=2)
        self.bn1 = nn.BatchNorm2d(wide)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(wide, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He et al. 2015
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)

    @override
    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, in_channels, H, W) to logits (N, num_classes)."""
        features = self.block3(self.block2(self.block1(self.conv1(images))))
        logits: Tensor = self.fc(self.relu(self.bn1(features)).mean(dim=(2, 3)))
        return logits


def wide_resnet28_10(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """Return the wide ResNet of depth 28 and widening factor 10, without dropout, 36.5 M parameters."""
    return WideResNet(28, 10, num_classes, in_channels)


def wide_resnet28_10_small(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """Return the wide ResNet of depth 28 and widening factor 4.58: 21 % of the parameters of factor 10."""
    return WideResNet(28, 4.58, num_classes, in_channels)
