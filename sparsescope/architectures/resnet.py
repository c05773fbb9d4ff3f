"""The ResNets of He et al. 2016, section 3.3, in any width, and ResNet-18 for 32 x 32 images.

Parameter names are torchvision's. torchvision's own ResNets have a fixed width, which is why these are written anew.
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from typing_extensions import override

from sparsescope.preprocessing import CIFAR10

__all__ = ["BasicBlock", "Bottleneck", "ResNet", "resnet18_cifar", "resnet18_cifar_small"]

PREPROCESSING = CIFAR10


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with normalisation, and a shortcut around them."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(in_channels, channels, stride)
        self.relu2 = nn.ReLU()

    @override
    def forward(self, images: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / stride, W / stride)."""
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(images)))))
        output: Tensor = self.relu2(residual + self.downsample(images))
        return output


class Bottleneck(nn.Module):
    """Convolutions 1 x 1, 3 x 3 (which has the stride) and 1 x 1 to four times the channels, and a shortcut."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(channels, channels * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.downsample = _shortcut(in_channels, channels * self.expansion, stride)
        self.relu3 = nn.ReLU()

    @override
    def forward(self, images: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 4 * channels, H / stride, W / stride)."""
        features = self.relu1(self.bn1(self.conv1(images)))
        residual = self.bn3(self.conv3(self.relu2(self.bn2(self.conv2(features)))))
        output: Tensor = self.relu3(residual + self.downsample(images))
        return output


class ResNet(nn.Module):
    """A stem, four stages, global average pooling and a linear head.

    Args:
        block: kind of residual block.
        blocks: residual blocks in each stage.
        channels: channels of the stem and of the blocks in each stage: five numbers.
        stem: `"cifar"`, a 3 x 3 convolution; `"imagenet"`, a 7 x 7 convolution with stride 2 and a max-pooling.
        num_classes: number of logits.
        in_channels: channels of the images.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        blocks: Sequence[int],
        channels: Sequence[int],
        *,
        stem: Literal["cifar", "imagenet"],
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        first, *stages = channels
        size, stride = (3, 1) if stem == "cifar" else (7, 2)
        self.conv1 = nn.Conv2d(in_channels, first, size, stride=stride, padding=size // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.relu = nn.ReLU()
        self.maxpool = nn.Identity() if stem == "cifar" else nn.MaxPool2d(3, stride=2, padding=1)
        wide = block.expansion
        self.layer1 = _stage(block, blocks[0], first, stages[0], stride=1)
        self.layer2 = _stage(block, blocks[1], stages[0] * wide, stages[1], stride=2)
        self.layer3 = _stage(block, blocks[2], stages[1] * wide, stages[2], stride=2)
        self.layer4 = _stage(block, blocks[3], stages[2] * wide, stages[3], stride=2)
        self.fc = nn.Linear(stages[3] * wide, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He et al. 2015, as in torchvision
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @override
    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, in_channels, H, W) to logits (N, num_classes)."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        logits: Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits


def _stage(
    block: type[BasicBlock] | type[Bottleneck], count: int, in_channels: int, channels: int, stride: int
) -> nn.Sequential:
    first = block(in_channels, channels, stride)
    return nn.Sequential(first, *(block(channels * block.expansion, channels, 1) for _ in range(count - 1)))


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
    )


def resnet18_cifar(num_classes: int = 10, in_channels: int = 3) -> ResNet:
    """Return ResNet-18 with a stem for 32 x 32 images, 11.17 M parameters."""
    channels = (64, 64, 128, 256, 512)
    return ResNet(BasicBlock, (2, 2, 2, 2), channels, stem="cifar", num_classes=num_classes, in_channels=in_channels)


def resnet18_cifar_small(num_classes: int = 10, in_channels: int = 3) -> ResNet:
    """Return `resnet18_cifar` at 0.458 of its width: 21 % of its parameters."""
    channels = (29, 29, 59, 117, 234)
    return ResNet(BasicBlock, (2, 2, 2, 2), channels, stem="cifar", num_classes=num_classes, in_channels=in_channels)
