"""Architectures by specification.

Built in:
    resnet20s, resnet32s, resnet44s, resnet56s, resnet110s   CIFAR ResNets with option-A shortcuts (He et al. 2016)
    digits_cnn                                               a small convolutional network for 1 x 32 x 32 digits

Besides: `torchvision:NAME`, `FILE.py:function` and `package.module:function`, where a function returns an `nn.Module`.

A new architecture is one file and one line in `BUILT_IN`. Its function takes `num_classes` and `in_channels`, both with
defaults; a constant `PREPROCESSING` beside it says how its images are normalised. Importing this package imports no
torch.
"""

from typing import TYPE_CHECKING, Any

from sparsescope.architectures.preprocessing import IMAGENET, Preprocessing
from sparsescope.architectures.spec import BUILT_IN, Architecture, resolve

if TYPE_CHECKING:
    from sparsescope.architectures.matching import Comparison, fitting_options, match

__all__ = [
    "BUILT_IN",
    "IMAGENET",
    "Architecture",
    "Comparison",
    "Preprocessing",
    "fitting_options",
    "match",
    "resolve",
]


def __getattr__(name: str) -> Any:
    if name in ("Comparison", "fitting_options", "match"):
        from sparsescope.architectures import matching

        return getattr(matching, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
