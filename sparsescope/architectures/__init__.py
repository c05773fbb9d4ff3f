"""Architectures by specification.

Built in:
    resnet20s, resnet32s, resnet44s, resnet56s, resnet110s   CIFAR ResNets with option-A shortcuts (He et al. 2016)
    resnet18_cifar                                           ResNet-18 with a 3 x 3 stem and no pooling
    wide_resnet28_10                                         Zagoruyko & Komodakis 2016
    vgg11_cifar                                              VGG-11 with batch normalisation and one linear layer
    digits_cnn                                               a small convolutional network for 1 x 32 x 32 digits
    resnet20s_small, resnet18_cifar_small, wide_resnet28_10_small, vgg11_cifar_small, digits_cnn_small, resnet50_small
                                                             small dense twins: the same network, and that of
                                                             torchvision:resnet50, so narrow that about 21 % of the
                                                             parameters are left, as in a ticket of seven rounds

Besides: `torchvision:NAME`, `timm:NAME` (extra `models`), `FILE.py:function` and `package.module:function`, where a
function returns an `nn.Module`.

A new architecture is one file and one line in `BUILT_IN`. Its function takes `num_classes` and `in_channels`, both with
defaults; a constant `PREPROCESSING` beside it says how its images are normalised. Importing this package imports no
torch.
"""

from typing import TYPE_CHECKING, Any

from sparsescope.architectures.architecture import Architecture
from sparsescope.architectures.preprocessing import IMAGENET, Preprocessing
from sparsescope.architectures.spec import BUILT_IN, is_known_code, resolve

if TYPE_CHECKING:
    from sparsescope.architectures.matching import Comparison, fitting_options, match

__all__ = [
    "BUILT_IN",
    "IMAGENET",
    "Architecture",
    "Comparison",
    "Preprocessing",
    "fitting_options",
    "is_known_code",
    "match",
    "resolve",
]


def __getattr__(name: str) -> Any:
    if name in ("Comparison", "fitting_options", "match"):
        from sparsescope.architectures import matching

        return getattr(matching, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
