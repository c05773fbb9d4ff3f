"""A small convolutional network for hand-written digits: it trains in seconds on a CPU."""

from torch import Tensor, nn

from sparsescope.architectures.preprocessing import Preprocessing

__all__ = ["DigitsCNN", "digits_cnn"]

PREPROCESSING = Preprocessing(mean=(0.305,), std=(0.324,), size=32)  # of scikit-learn's digits at 32 x 32


class DigitsCNN(nn.Module):
    """Four 3 x 3 convolutions with normalisation (16, 32, 32, 64 channels), global average pooling, a linear head."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_layer(in_channels, 16, stride=2),
            *_layer(16, 32, stride=1),
            *_layer(32, 32, stride=2),
            *_layer(32, 64, stride=1),
        )
        self.head = nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)  # He et al. 2015

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, in_channels, H, W) to logits (N, num_classes)."""
        logits: Tensor = self.head(self.features(images).mean(dim=(2, 3)))
        return logits


def _layer(in_channels: int, channels: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(channels), nn.ReLU()


def digits_cnn(num_classes: int = 10, in_channels: int = 1) -> DigitsCNN:
    """Return the digits network, 33 thousand parameters."""
    return DigitsCNN(num_classes, in_channels)
