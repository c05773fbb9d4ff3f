"""From an architecture's specification to a network."""

import importlib
import sys
from difflib import get_close_matches

from sparsescope.architectures.architecture import Architecture
from sparsescope.architectures.libraries import LIBRARIES, torchvision_names
from sparsescope.architectures.preprocessing import Preprocessing
from sparsescope.errors import OptionError
from sparsescope.userfiles import load_object

__all__ = ["BUILT_IN", "is_known_code", "resolve"]

BUILT_IN = {
    "resnet20s": "sparsescope.architectures.cifar_resnet:resnet20s",
    "resnet32s": "sparsescope.architectures.cifar_resnet:resnet32s",
    "resnet44s": "sparsescope.architectures.cifar_resnet:resnet44s",
    "resnet56s": "sparsescope.architectures.cifar_resnet:resnet56s",
    "resnet110s": "sparsescope.architectures.cifar_resnet:resnet110s",
    "resnet20s_small": "sparsescope.architectures.cifar_resnet:resnet20s_small",
    "resnet18_cifar": "sparsescope.architectures.resnet:resnet18_cifar",
    "resnet18_cifar_small": "sparsescope.architectures.resnet:resnet18_cifar_small",
    "wide_resnet28_10": "sparsescope.architectures.wide_resnet:wide_resnet28_10",
    "wide_resnet28_10_small": "sparsescope.architectures.wide_resnet:wide_resnet28_10_small",
    "vgg11_cifar": "sparsescope.architectures.vgg:vgg11_cifar",
    "vgg11_cifar_small": "sparsescope.architectures.vgg:vgg11_cifar_small",
    "resnet50_small": "sparsescope.architectures.imagenet_resnet:resnet50_small",
    "digits_cnn": "sparsescope.architectures.digits_cnn:digits_cnn",
    "digits_cnn_small": "sparsescope.architectures.digits_cnn:digits_cnn_small",
}


def resolve(spec: str) -> Architecture:
    """Return the architecture that a specification names.

    Args:
        spec: a built-in name, `torchvision:NAME`, `timm:NAME`, `FILE.py:function` or `package.module:function`; the
            last two run the user's own code.

    Raises:
        OptionError: nothing has that name; the text lists close matches.

    Example:
        >>> from sparsescope.architectures import resolve
        >>> network = resolve("resnet20s").build(num_classes=10)
        >>> sum(parameter.numel() for parameter in network.parameters())
        269722
    """
    if spec in BUILT_IN:
        module_name, _, function = BUILT_IN[spec].partition(":")
        module = importlib.import_module(module_name)
        return Architecture(spec, getattr(module, function), module.PREPROCESSING)
    library, colon, name = spec.partition(":")
    if not colon:
        raise OptionError(_unknown(spec))
    if library in LIBRARIES:
        return LIBRARIES[library](name)
    function_ = load_object(spec)
    if not callable(function_):
        raise OptionError(f"Expected {spec} to be a function that returns a network, but got {function_!r}.")
    home = sys.modules.get(getattr(function_, "__module__", ""))
    stated = getattr(home, "PREPROCESSING", None)
    return Architecture(spec, function_, stated if isinstance(stated, Preprocessing) else None)


def is_known_code(spec: str) -> bool:
    """Return whether a specification names an installed package's network, and not a user's own code."""
    library, colon, _ = spec.partition(":")
    return not colon or library in LIBRARIES


def _unknown(spec: str) -> str:
    if spec.endswith(".py"):
        return f"Expected FILE.py:function, but got {spec!r}: name the function that returns the network."
    known = [*BUILT_IN, *(f"torchvision:{name}" for name in torchvision_names())]
    near = get_close_matches(spec, known, n=3, cutoff=0.6)
    if f"torchvision:{spec}" in known:
        near.insert(0, f"torchvision:{spec}")
    hint = f" Did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    return (
        f"There is no architecture {spec!r}.{hint} Built in: {', '.join(BUILT_IN)}. "
        "Besides: torchvision:NAME, timm:NAME, FILE.py:function, package.module:function."
    )
