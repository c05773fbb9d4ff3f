"""What a layer really multiplies with: the kernel, which need not be the parameter that is called weight.

A layer of a user's own class may multiply its weight with a mask, standardize or round it in its forward pass. This is
found out by effect and not by the names of classes: a copy of the layer is shown one small input, and the tensor that
reaches the convolution or the matrix product is looked at.
"""

import contextlib
import copy
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode
from typing_extensions import override

__all__ = [
    "Products",
    "has_own_forward",
    "ignores",
    "keeps_zeros",
    "kernel",
    "standardization_notes",
    "standardized_weights",
]

_FEW = 0.01
"""Share of zeros below which nobody takes them for pruning."""

_PRODUCTS = frozenset(("linear", *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))))


_KEEPS_ZEROS: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


class Products(TorchFunctionMode):
    """Collects the second factor of every convolution and linear map, in the order of the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[Tensor] = []

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in _PRODUCTS:
            factor = args[1] if len(args) > 1 else kwargs.get("weight")
            if isinstance(factor, Tensor):
                self.kernels.append(factor)
        return func(*args, **kwargs)


def kernel(layer: nn.Module, weight: Tensor, name: str = "weight") -> Tensor | None:
    """Return what `layer` multiplies with if its parameter `name` is `weight`, of the same shape.

    None where that cannot be found out: the layer takes no single tensor, or calls no convolution or linear map.
    """
    with Products() as seen:
        _answer(layer, weight, name)
    return next((found for found in seen.kernels if found.shape == weight.shape), None)


def ignores(layer: nn.Module, name: str, entries: Tensor) -> bool | None:
    """Return whether the answer of `layer` is the same whatever the `entries` (bool) of a parameter are.

    None where that cannot be found out, or the layer ignores the other entries as well.
    """
    weight = layer.get_parameter(name).detach()
    answers = [_answer(layer, values, name) for values in (weight, weight + entries, weight + ~entries)]
    if not all(isinstance(answer, Tensor) for answer in answers) or torch.equal(answers[0], answers[2]):
        return None
    return torch.equal(answers[0], answers[1])


def has_own_forward(layer: nn.Module) -> bool:
    """Return whether what `layer` does with its weight is the code of anybody but torch."""
    kind = type(layer)
    methods = [getattr(kind, name) for name in ("forward", "_conv_forward") if hasattr(kind, name)]
    return any(not getattr(method, "__module__", "").startswith("torch.") for method in methods)


def standardized_weights(module: nn.Module) -> list[str]:
    """Return the weights of convolutions and linear layers whose zeros are no zeros of the kernel, by name.

    Such a layer standardizes its weight in the forward pass, as those of BiT and NF networks do, or adds something to
    it: a weight of zero is then multiplied with like any other. Source: Qiao et al. 2019.
    """
    return [
        f"{prefix}.weight" if prefix else "weight"
        for prefix, layer in module.named_modules()
        if isinstance(layer, nn.Linear | _ConvNd) and has_own_forward(layer) and not keeps_zeros(layer)
    ]


def standardization_notes(module: nn.Module) -> tuple[str, ...]:
    """Return one note where standardized weights have zeros, which look like sparsity and are none."""
    names = standardized_weights(module)
    zeros = sum(int((module.get_parameter(name) == 0).sum()) for name in names)
    size = sum(module.get_parameter(name).numel() for name in names)
    if not size or zeros < _FEW * size:
        return ()
    return (
        f"{len(names)} layers, first {names[0].removesuffix('.weight')}, use their weights standardized, or otherwise "
        f"changed, in the forward pass: {zeros / size:.0%} of these weights are zero, but what the layers multiply "
        "with is not. They are not counted as removed",
    )


def keeps_zeros(layer: nn.Module) -> bool:
    """Return whether every second weight, set to zero, is a zero of the kernel; True where nobody can tell.

    It is a property of the layer's code, so that every layer is tried only once.
    """
    if layer not in _KEEPS_ZEROS:
        _KEEPS_ZEROS[layer] = _tried(layer)
    return _KEEPS_ZEROS[layer]


def _tried(layer: nn.Module) -> bool:
    weight = layer.weight
    if not isinstance(weight, Tensor) or weight.is_meta or not weight.is_floating_point():
        return True
    values = torch.linspace(0.5, 1.5, weight.numel(), dtype=weight.dtype, device=weight.device)
    values[::2] = 0
    values = values.reshape(weight.shape)
    plain = _private(layer)
    for name, other in plain._parameters.items():  # a gain of zero would hide what becomes of the weights
        if name != "weight" and other is not None:
            torch.nn.init.ones_(other)
    found = kernel(plain, values)
    return found is None or not bool(found[values == 0].any())


def _answer(layer: nn.Module, weight: Tensor, name: str) -> Any:
    """Return what a copy of `layer` returns for a small input; None where it raises."""
    shape = _input_shape(layer, weight)
    if shape is None:
        return None
    with contextlib.suppress(Exception), torch.no_grad():  # whatever a foreign layer raises on an input not for it
        private = _private(layer)
        private._parameters[name] = _fixed(weight)
        images = torch.linspace(0.5, 1.5, int(torch.Size(shape).numel()), dtype=weight.dtype, device=weight.device)
        return type(layer).forward(private, images.reshape(shape))  # past the hooks, which are not to notice
    return None


def _input_shape(layer: nn.Module, weight: Tensor) -> tuple[int, ...] | None:
    if isinstance(layer, _ConvNd):
        sides = (step * (size - 1) + 1 for size, step in zip(layer.kernel_size, layer.dilation, strict=True))
        return 1, layer.in_channels, *sides
    if weight.ndim == 2:
        return 2, weight.shape[1]
    if 3 <= weight.ndim <= 5:
        groups = getattr(layer, "groups", 1)
        return 1, weight.shape[1] * (groups if isinstance(groups, int) else 1), *weight.shape[2:]
    return None


def _private(layer: nn.Module) -> nn.Module:
    """Return a copy in eval mode that may change whatever it holds."""
    private = copy.copy(layer)
    state = vars(private)
    state["_parameters"] = {name: None if value is None else _fixed(value) for name, value in layer._parameters.items()}
    state["_buffers"] = {name: None if value is None else value.clone() for name, value in layer._buffers.items()}
    state["_modules"] = copy.deepcopy(layer._modules)
    return private.eval()


def _fixed(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value.detach().clone(), requires_grad=False)
