"""Operations whose second derivative torch lacks or computes slowly, by identities that have a fast one."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from sparsescope.curvature.grouped import grouped_conv2d

__all__ = ["ExactOperations"]


def _hardsigmoid(images: Tensor, inplace: bool = False) -> Tensor:
    """hardsigmoid(x) = relu6(x + 3) / 6, value and gradient alike, at the kinks too."""
    values = functional.relu6(images + 3) / 6
    return images.copy_(values) if inplace else values


def _hardsigmoid_in_place(images: Tensor) -> Tensor:
    return _hardsigmoid(images, inplace=True)


def _without_cudnn(recurrent: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        with torch.backends.cudnn.flags(enabled=False):
            return recurrent(*arguments, **options)

    return run


_IDENTITIES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    functional.hardsigmoid: _hardsigmoid,
    torch._C._nn.hardsigmoid: _hardsigmoid,
    torch._C._nn.hardsigmoid_: _hardsigmoid_in_place,
    torch.conv2d: grouped_conv2d,
    **{each: _without_cudnn(each) for each in (torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu)},
}
"""torch's function -> the same with second derivatives, or faster ones. Recurrent layers have them outside of cuDNN."""


class ExactOperations(TorchFunctionMode):
    """A context in which torch's functions have second derivatives wherever an exact identity gives them.

    It sees modules and functional calls alike; TorchScript alone runs past it.
    """

    @override
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        with contextlib.suppress(TypeError):  # not hashable
            func = _IDENTITIES.get(func, func)
        return func(*args, **(kwargs or {}))
