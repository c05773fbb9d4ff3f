"""The ResNets for 32 x 32 images of He et al. 2016, section 4.2, with parameter-free (option A) shortcuts.

Parameter names are those of the published checkpoints of akamaster/pytorch_resnet_cifar10.
"""

from torch import Tensor, nn
from torch.nn.functional import pad
from typing_extensions import override

from sparsescope.preprocessing import IMAGENET, Preprocessing

__all__ = ["CifarResNet", "resnet20s", "resnet20s_small", "resnet32s", "resnet44s", "resnet56s", "resnet110s"]

PREPROCESSING = Preprocessing(IMAGENET.mean, IMAGENET.std, size=32)  # what the published checkpoints were trained with


class PaddedShortcut(nn.Module):
    """Option A: every second pixel in both directions, and zeros for the channels that are new.

    Args:
        new_channels: how many zero channels to add, half before and half behind, as the published checkpoints have it.
    """

    def __init__(self, new_channels: int) -> None:
        super().__init__()
        self.new_channels = new_channels

    @override
    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C + new_channels, ceil(H / 2), ceil(W / 2))."""
        before = self.new_channels // 2
        return pad(images[:, :, ::2, ::2], (0, 0, 0, 0, before, self.new_channels - before))


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with normalisation, and a shortcut around them."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity() if stride == 1 else PaddedShortcut(channels - in_channels)
        self.relu2 = nn.ReLU()

    @override
    def forward(self, images: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / stride, W / stride)."""
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(images)))))
        output: Tensor = self.relu2(residual + self.shortcut(images))
        return output


class CifarResNet(nn.Module):
    """A stem, three stages, global average pooling and a linear head.

    Args:
        blocks: residual blocks in each stage; the depth is 6 * blocks + 2.
        num_classes: number of logits.
        in_channels: channels of the images.
        channels: channels of the three stages; the stem has as many as the first.
    """

    def __init__(
        self, blocks: int, num_classes: int, in_channels: int, channels: tuple[int, int, int] = (16, 32, 64)
    ) -> None:
        super().__init__()
        narrow, middle, wide = channels
        self.conv1 = nn.Conv2d(in_channels, narrow, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(narrow)
        self.relu = nn.ReLU()
        self.layer1 = _stage(blocks, narrow, narrow, stride=1)
        self.layer2 = _stage(blocks, narrow, middle, stride=2)
        self.layer3 = _stage(blocks, middle, wide, stride=2)
        self.linear = nn.Linear(wide, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)  # He et al. 2015

    @override
    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, in_channels, H, W) to logits (N, num_classes)."""
        features = self.relu(self.bn1(self.conv1(images)))
        features = self.layer3(self.layer2(self.layer1(features)))
        logits: Tensor = self.linear(features.mean(dim=(2, 3)))
        return logits


def _stage(blocks: int, in_channels: int, channels: int, stride: int) -> nn.Sequential:
    first = BasicBlock(in_channels, channels, stride)
    return nn.Sequential(first, *(BasicBlock(channels, channels, 1) for _ in range(blocks - 1)))


def resnet20s(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Return ResNet-20 for 32 x 32 images, 0.27 M parameters."""
    return CifarResNet(3, num_classes, in_channels)


def resnet32s(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Return ResNet-32 for 32 x 32 images, 0.46 M parameters."""
    return CifarResNet(5, num_classes, in_channels)


def resnet44s(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Return ResNet-44 for 32 x 32 images, 0.66 M parameters."""
    return CifarResNet(7, num_classes, in_channels)


def resnet56s(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Return ResNet-56 for 32 x 32 images, 0.85 M parameters."""
    return CifarResNet(9, num_classes, in_channels)


def resnet110s(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Return ResNet-110 for 32 x 32 images, 1.7 M parameters."""
    return CifarResNet(18, num_classes, in_channels)


def resnet20s_small(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Return `resnet20s` at 0.456 of its width: 21 % of its parameters."""
    return CifarResNet(3, num_classes, in_channels, channels=(7, 15, 29))
