"""VGG-11 (Simonyan & Zisserman 2015, configuration A) with batch normalisation, for 32 x 32 images.

After the five poolings one pixel is left and one linear layer follows, as in kuangliu/pytorch-cifar, whose parameter
names these are. Variants with three linear layers of 512 have 9.76 M parameters instead of 9.23 M.
"""

from torch import Tensor, nn
from typing_extensions import override

from sparsescope.preprocessing import CIFAR10

__all__ = ["VGG11", "vgg11_cifar", "vgg11_cifar_small"]

PREPROCESSING = CIFAR10

_CHANNELS = (64, 128, 256, 256, 512, 512, 512, 512)
_POOLED = (0, 1, 3, 5, 7)  # convolutions that a max-pooling follows


class VGG11(nn.Module):
    """Eight 3 x 3 convolutions with normalisation, five max-poolings, global average pooling and a linear head.

    Args:
        width: factor of all channels; they are rounded.
        num_classes: number of logits.
        in_channels: channels of the images.
    """

    def __init__(self, width: float, num_classes: int, in_channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for number, wide in enumerate(_CHANNELS):
            before, channels = channels, round(wide * width)
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
            if number in _POOLED:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He et al. 2015, as in torchvision
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    @override
    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, in_channels, H, W), of 32 pixels or more, to logits (N, num_classes)."""
        logits: Tensor = self.classifier(self.features(images).mean(dim=(2, 3)))
        return logits


def vgg11_cifar(num_classes: int = 10, in_channels: int = 3) -> VGG11:
    """Return VGG-11 with batch normalisation for 32 x 32 images, 9.23 M parameters."""
    return VGG11(1, num_classes, in_channels)


def vgg11_cifar_small(num_classes: int = 10, in_channels: int = 3) -> VGG11:
    """Return `vgg11_cifar` at 0.458 of its width: 21 % of its parameters."""
    return VGG11(0.458, num_classes, in_channels)
