"""Layers by name, and their outputs as activation maps: convolutional, transformer tokens, or plain features."""

import contextlib
import math
from collections.abc import Callable, Iterator
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from sparsescope.classifier import Classifier
from sparsescope.errors import NotEvaluated, OptionError

__all__ = ["as_maps", "captured", "default_layer", "find_layer"]

MOST_EXTRA_TOKENS = 8
"""Class, distillation and register tokens before those of the grid."""


@contextlib.contextmanager
def captured(classifier: Classifier, layer: str) -> Iterator[list[object]]:
    """Yield a list that gets what the layer returns, once for each time it is called; the hook goes at the end.

    Raises:
        OptionError: there is no such layer; the text has the close ones, and all.
        NotEvaluated: the network is TorchScript, which has no hooks.
    """
    module = find_layer(classifier, layer)
    outputs: list[object] = []

    def take(_: str, output: object) -> None:
        # What comes after may change it in place, as `out += identity` and `ReLU(inplace=True)` do.
        outputs.append(output.detach().clone() if isinstance(output, Tensor) else output)

    with _hooked(module, layer, take):
        yield outputs


def find_layer(classifier: Classifier, layer: str) -> nn.Module:
    """Return the module of that name; OptionError, with the close ones and all, where there is none."""
    modules: dict[str, nn.Module] = dict(classifier.module.named_modules())
    del modules[""]
    if layer not in modules:
        close = get_close_matches(layer, modules, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise OptionError(f"{classifier.name} has no layer {layer!r}.{hint} Layers: {', '.join(modules)}.")
    return modules[layer]


def default_layer(classifier: Classifier, image: Tensor) -> str:
    """Return the layer to dissect where none is named: the last whose output is a map of more than one position.

    Last means finished last when `image` (1, C, H, W) goes through the network, so that a block comes after its parts:
    `layer3` of a CIFAR ResNet, `layer4` of an ImageNet one. It takes one forward pass.

    Raises:
        NotEvaluated: no layer has such an output, or the network is TorchScript, which has no hooks.
    """
    found: list[str] = []

    def note(name: str, output: object) -> None:
        with contextlib.suppress(OptionError):
            maps = as_maps(output, 1, name)
            if maps.shape[2] * maps.shape[3] > 1:
                found.append(name)

    with contextlib.ExitStack() as hooks:
        for name, module in classifier.module.named_modules():
            if name:
                hooks.enter_context(_hooked(module, name, note))
        with torch.no_grad():
            classifier(image)
    if not found:
        raise NotEvaluated(
            f"no layer of {classifier.name} gives a map of more than one position (name one whose output is (N, K) "
            "with --layer: its units are compared with concepts of whole images)"
        )
    return found[-1]


@contextlib.contextmanager
def _hooked(module: nn.Module, name: str, take: Callable[[str, object], None]) -> Iterator[None]:
    if isinstance(module, torch.jit.ScriptModule):
        raise NotEvaluated("TorchScript gives no access to its layers; dissect the network that it was made from")
    handle = module.register_forward_hook(lambda _module, _inputs, output: take(name, output))
    try:
        yield
    finally:
        handle.remove()


def as_maps(output: object, n: int, layer: str) -> Tensor:
    """Return a layer's output for n images as maps (n, K, h, w).

    (n, K, h, w) is taken as it is; where only reading it as (n, h, w, K) gives a square map, as that. Of tokens
    (n, T, K) the last h * w = h² are a grid, row by row; up to 8 before them (class, registers) are dropped. Plain
    features (n, K) are maps of one position.

    Raises:
        OptionError: anything else; the text says what came.
    """
    if isinstance(output, Tensor) and len(output) == n:
        if output.ndim == 2:
            return output[:, :, None, None]
        if output.ndim == 3:
            side = math.isqrt(output.shape[1])
            if side * side == output.shape[1] or (side > 1 and output.shape[1] - side * side <= MOST_EXTRA_TOKENS):
                grid = output[:, output.shape[1] - side * side :]
                return grid.transpose(1, 2).reshape(n, output.shape[2], side, side)
        if output.ndim == 4:
            channels_last = output.shape[1] == output.shape[2] != output.shape[3]
            return output.permute(0, 3, 1, 2) if channels_last else output
    came = f"a tensor of shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise OptionError(
        f"Expected layer {layer!r} to return a map ({n}, K, h, w), tokens ({n}, T, K) on a square grid or features "
        f"({n}, K), but it returns {came}. Choose a layer inside or after it."
    )
