"""From an architecture's specification to a network."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from sparsescope.architectures.preprocessing import IMAGENET, Preprocessing
from sparsescope.errors import OptionError
from sparsescope.userfiles import load_object

if TYPE_CHECKING:
    from torch import nn

__all__ = ["BUILT_IN", "Architecture", "resolve", "torchvision_names"]

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


@dataclass(frozen=True)
class Architecture:
    """A network that can be built.

    Args:
        spec: how the user names it.
        function: returns a new, randomly initialised network.
        preprocessing: how its images are normalised by default; None where unknown.
    """

    spec: str
    function: Callable[..., "nn.Module"]
    preprocessing: Preprocessing | None

    def accepts(self, option: str) -> bool:
        """Return whether `function` takes this keyword; one that takes any keyword is given the number of classes."""
        try:
            parameters = inspect.signature(self.function).parameters
        except ValueError:  # some callables written in C have no signature
            return False
        any_keyword = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        return option in parameters or (any_keyword and option == "num_classes")

    def build(self, **options: Any) -> "nn.Module":
        """Return a new network, initialised from torch's global generator as its function does it.

        Args:
            options: keywords of the function, such as `num_classes` and `in_channels`; its defaults hold without them.

        Raises:
            OptionError: the function does not take an option, raises, or returns something else than an `nn.Module`.
        """
        from torch import nn

        for option in options:
            if not self.accepts(option):
                raise OptionError(f"The architecture {self.spec} does not take the option {option!r}.")
        try:
            module = self.function(**options)
        except Exception as error:
            cause = f"{type(error).__name__}: {error}{_line(error, self.function)}"
            raise OptionError(f"The architecture {self.spec} could not be built: {cause}") from error
        if not isinstance(module, nn.Module):
            raise OptionError(f"Expected {self.spec} to return an nn.Module, but got a {type(module).__name__}.")
        return module


def resolve(spec: str) -> Architecture:
    """Return the architecture that a specification names.

    Args:
        spec: a built-in name, `torchvision:NAME`, `FILE.py:function` or `package.module:function`; the last two run
            the user's own code.

    Raises:
        OptionError: nothing has that name; the text lists close matches.
    """
    if spec in BUILT_IN:
        module_name, _, function = BUILT_IN[spec].partition(":")
        module = importlib.import_module(module_name)
        return Architecture(spec, getattr(module, function), module.PREPROCESSING)
    if spec.startswith("torchvision:"):
        return _torchvision(spec)
    if ":" not in spec:
        raise OptionError(_unknown(spec))
    function_ = load_object(spec)
    if not callable(function_):
        raise OptionError(f"Expected {spec} to be a function that returns a network, but got {function_!r}.")
    home = sys.modules.get(getattr(function_, "__module__", ""))
    stated = getattr(home, "PREPROCESSING", None)
    return Architecture(spec, function_, stated if isinstance(stated, Preprocessing) else None)


def torchvision_names() -> list[str]:
    """Return the names of torchvision's classification architectures."""
    from torchvision import models

    return list(models.list_models(module=models))


def _line(error: Exception, function: Callable[..., Any]) -> str:
    """Return the line of the function's own file where the error arose."""
    home = sys.modules.get(getattr(function, "__module__", ""))
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == getattr(home, "__file__", None)]
    return f" (line {lines[-1]})" if lines else ""


def _torchvision(spec: str) -> Architecture:
    from torchvision import models

    name = spec.removeprefix("torchvision:")
    names = torchvision_names()
    if name not in names:
        near = get_close_matches(name, names, n=5, cutoff=0.5)
        hint = f"Did you mean {', '.join(f'torchvision:{other}' for other in near)}?" if near else ""
        raise OptionError(f"torchvision has no classification architecture {name!r}. {hint}".rstrip())
    # These two warn unless told how to initialise; False is their announced default.
    quiet = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}

    def build(num_classes: int = 1000) -> "nn.Module":
        network: nn.Module = models.get_model(name, weights=None, num_classes=num_classes, **quiet)
        return network

    return Architecture(spec, build, IMAGENET)


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
        "Besides: torchvision:NAME, FILE.py:function, package.module:function."
    )
