"""Grouped convolutions whose second derivatives take as long as the first: torch computes its own group by group.

⟨conv(x, w), g⟩ is linear in each of x, w and g. Its gradients in them are the convolution itself and its gradients in
the images and in the weights, and the gradients of these are the same three again.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from typing_extensions import override

__all__ = ["grouped_conv2d"]


def grouped_conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return `torch.conv2d`, values and gradients alike; of several groups with fast second derivatives."""
    if groups == 1 or input.dim() != 4 or isinstance(padding, str):
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
    options = (_pair(stride), _pair(padding), _pair(dilation), groups)
    answers: Tensor = _Convolution.apply(input, weight, options)
    return answers if bias is None else answers + bias.view(-1, 1, 1)


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else [*value] * (2 // len(value))


def _gradients(images: Tensor, weights: Tensor, gradient: Tensor, options: Any, which: int) -> Tensor:
    """Return the gradient in the images (0) or the weights (1); of the other only the shape counts."""
    stride, padding, dilation, groups = options
    mask = [which == 0, which == 1, False]
    found = torch.ops.aten.convolution_backward(
        gradient, images, weights, None, stride, padding, dilation, False, [0, 0], groups, mask
    )
    result: Tensor = found[which]
    return result


class _Convolution(Function):
    @staticmethod
    @override
    def forward(context: Any, images: Tensor, weights: Tensor, options: Any) -> Tensor:
        context.save_for_backward(images, weights)
        context.options = options
        stride, padding, dilation, groups = options
        return torch.conv2d(images, weights, None, stride, padding, dilation, groups)

    @staticmethod
    @override
    def backward(context: Any, *gradients: Tensor) -> Any:
        images, weights = context.saved_tensors
        in_images, in_weights, _ = context.needs_input_grad
        return (
            _InImages.apply(weights, gradients[0], images, context.options) if in_images else None,
            _InWeights.apply(images, gradients[0], weights, context.options) if in_weights else None,
            None,
        )


class _InImages(Function):
    """The gradient in the images, a function of weights and gradient; `like` has the images' shape."""

    @staticmethod
    @override
    def forward(context: Any, weights: Tensor, gradient: Tensor, like: Tensor, options: Any) -> Tensor:
        context.save_for_backward(weights, gradient)
        context.options = options
        return _gradients(like, weights, gradient, options, 0)

    @staticmethod
    @override
    def backward(context: Any, *directions: Tensor) -> Any:
        weights, gradient = context.saved_tensors
        in_weights, in_gradient, *_ = context.needs_input_grad
        return (
            _InWeights.apply(directions[0], gradient, weights, context.options) if in_weights else None,
            _Convolution.apply(directions[0], weights, context.options) if in_gradient else None,
            None,
            None,
        )


class _InWeights(Function):
    """The gradient in the weights, a function of images and gradient; `like` has the weights' shape."""

    @staticmethod
    @override
    def forward(context: Any, images: Tensor, gradient: Tensor, like: Tensor, options: Any) -> Tensor:
        context.save_for_backward(images, gradient)
        context.options = options
        return _gradients(images, like, gradient, options, 1)

    @staticmethod
    @override
    def backward(context: Any, *directions: Tensor) -> Any:
        images, gradient = context.saved_tensors
        in_images, in_gradient, *_ = context.needs_input_grad
        return (
            _InImages.apply(directions[0], gradient, images, context.options) if in_images else None,
            _Convolution.apply(images, directions[0], context.options) if in_gradient else None,
            None,
            None,
        )
