"""A narrow ResNet-50: the small dense twin of torchvision's."""

from sparsescope.architectures.resnet import Bottleneck, ResNet
from sparsescope.preprocessing import IMAGENET

__all__ = ["resnet50_small"]

PREPROCESSING = IMAGENET


def resnet50_small(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """Return `torchvision:resnet50` at 0.435 of its width: 21 % of its parameters."""
    channels = (28, 28, 56, 111, 223)
    return ResNet(Bottleneck, (3, 4, 6, 3), channels, stem="imagenet", num_classes=num_classes, in_channels=in_channels)
