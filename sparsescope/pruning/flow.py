"""Functions through which all flow x * dR/dx passes, in place of those of torch that lose some of it."""

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Function", "attention", "body", "gate", "glu", "normalization", "secant", "shared", "without_upper_bound"]

Function = Callable[..., Any]


def gate(func: Function, x: Tensor, *args: Any, **named: Any) -> Tensor:
    """Return the value of f at 0 as x times a constant; no flow comes from x <= 0, and -inf stays (a masked place)."""
    neutral = torch.where(x.isneginf(), x, 0.0).detach()
    return _times_constant(x, func(neutral, *args, **named))


def secant(func: Function, x: Tensor, *args: Any, **named: Any) -> Tensor:
    """Return f(x) as x times a constant; no flow comes from x <= 0."""
    return _times_constant(x, func(x.detach().clone(), *args, **named))


def _times_constant(x: Tensor, value: Tensor) -> Tensor:
    held = x.detach()  # -inf - (-inf) is no number
    return value + (x - held).nan_to_num() * torch.where(held > 0, value / held, 0.0)


def shared(product: Function, factors: list[int], args: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor:
    """Return a product of which each factor, the arguments at these places, has an equal share of the flow."""
    held = [value.detach().clone() if n in factors else value for n, value in enumerate(args)]
    parts = [product(*held[:n], args[n], *held[n + 1 :], **named) for n in factors]
    return torch.stack(parts).mean(0)


def glu(x: Tensor, dim: int = -1) -> Tensor:
    """Return what `functional.glu` does, of functions that can be replaced in turn."""
    values, gates = x.chunk(2, dim)
    return values * torch.sigmoid(gates)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return what `functional.scaled_dot_product_attention` does, of functions that can be replaced in turn."""
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(repeats, -3), value.repeat_interleave(repeats, -3)
    scores = torch.matmul(query, key.transpose(-2, -1)) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return torch.matmul(torch.softmax(scores, -1), value)


def without_upper_bound(name: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> Callable[[], Tensor] | None:
    """Return hardtanh or clamp without an upper bound; None of others, and where there is none."""
    if name not in ("hardtanh", "clamp", "clip", "clamp_max"):
        return None
    x, bounds = args[0], list(args[1:3])
    if name == "clamp_max":
        return partial(torch.clone, x)
    defaults = (-1.0, 1.0) if name == "hardtanh" else (None, None)
    words = (("min_val", "min"), ("max_val", "max"))
    for names, default in list(zip(words, defaults, strict=True))[len(bounds) :]:
        bounds.append(next((named[word] for word in names if word in named), default))
    lower, upper = bounds
    if upper is None:
        return None
    if lower is None:
        return partial(torch.clone, x)
    return partial(torch.clamp, x, min=lower) if isinstance(lower, Tensor) or lower else partial(torch.relu, x)


def normalization(name: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> Callable[[], Tensor] | None:
    """Return a normalization by statistics of its input without the centering, its divisor a constant; else None."""
    if name not in ("layer_norm", "rms_norm", "group_norm", "instance_norm", "batch_norm"):
        return None
    call = inspect.signature(getattr(functional, name)).bind_partial(*args, **named)
    call.apply_defaults()
    given = call.arguments
    by_input = {"batch_norm": "training", "instance_norm": "use_input_stats"}
    if name in by_input and given["running_mean"] is not None and not given[by_input[name]]:
        return None
    x: Tensor = given["input"]
    weight, bias = given["weight"], given.get("bias")
    if name in ("layer_norm", "rms_norm"):
        axes = tuple(range(-len(given["normalized_shape"]), 0))
        return partial(_scaled, x, x.square().mean(axes, keepdim=True), weight, bias)
    by_channel = (-1, *[1] * (x.ndim - 2))
    weight, bias = (None if values is None else values.view(by_channel) for values in (weight, bias))
    if name == "group_norm":
        groups = x.square().view(len(x), given["num_groups"], -1, *x.shape[2:])
        power = groups.mean(tuple(range(2, groups.ndim)), keepdim=True).expand_as(groups).flatten(1, 2)
    else:
        axes = tuple(range(2, x.ndim))
        power = x.square().mean((0, *axes) if name == "batch_norm" else axes, keepdim=True)
    return partial(_scaled, x, power, weight, bias)


def _scaled(x: Tensor, power: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    scaled = x * (power.detach() + torch.finfo(x.dtype).tiny).rsqrt()
    scaled = scaled if weight is None else scaled * weight
    return scaled if bias is None else scaled + bias


def body(func: Function) -> Function:
    """Return a function of `torch.nn.functional` that computes at once, so that a mode sees what it calls."""
    assert isinstance(func, FunctionType)
    own = {**func.__globals__, "has_torch_function": lambda arguments: False}
    copied = FunctionType(func.__code__, own, func.__name__, func.__defaults__)
    copied.__kwdefaults__ = func.__kwdefaults__
    return copied
