"""The linearized network that SynFlow scores: no activation, gate or normalization in it loses any flow."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from sparsescope.pruning.flow import (
    Function,
    attention,
    body,
    gate,
    glu,
    normalization,
    secant,
    shared,
    without_upper_bound,
)

__all__ = ["Linearized"]

_RECTIFIERS = {"relu6", "gelu", "silu", "hardswish", "mish", "softplus"}
_IDENTITIES = {"tanh", "softsign", "atan", "arctan", "local_response_norm"}
_GATES = {"sigmoid", "hardsigmoid", "expit", "softmax", "exp"}
_CONSTANTS = {"rsqrt", "reciprocal", "rdiv", "norm", "linalg_norm", "linalg_vector_norm"}
_CONSTANTS |= {"std", "var", "std_mean", "var_mean"}
_QUOTIENTS = {"div", "true_divide", "divide"}
_PRODUCTS = {"mul", "multiply", "matmul", "bmm", "einsum", "linear", "conv1d", "conv2d", "conv3d"}
_COMPOSITES: dict[str, Function] = {
    "glu": glu,
    "scaled_dot_product_attention": attention,
    "multi_head_attention_forward": body(functional.multi_head_attention_forward),
}
_SQUASHING = {"softmax", "log_softmax", "sigmoid", "log_sigmoid", "expit", "hardsigmoid"}
_RESHAPING = {"flatten", "view", "reshape", "squeeze", "unsqueeze", "contiguous", "clone"}
_OF_PROBABILITIES = {"log", "clamp", "clamp_min"}


class Linearized(TorchFunctionMode):
    """While it is active, functions of the activations are replaced by ones through which all flow passes.

    The flow through an activation x is x * dR/dx. In a network of ReLUs whose weights and inputs are not negative, what
    flows into a function flows out of it, so that the scores of each layer of a chain add up to R: that is why SynFlow
    collapses no layer (Tanaka et al. 2020, theorem 1). These functions break that, and become:

        ReLU6, GELU, SiLU, Hardswish, Mish, Softplus    a ReLU
        Tanh, Softsign, Hardtanh, any upper bound       the identity, at least the lower bound
        Sigmoid, Hardsigmoid, softmax, exp              f(0) / x as a constant, times x: an even gate, even attention
        products of n activations, such as attention    the same value, each factor with 1/n of the flow
        quotients, norms, standard deviations           the same value, divisors as constants
        LayerNorm, GroupNorm, InstanceNorm, RMSNorm     a constant divisor, as BatchNorm has, and no centering

    Equal shares are those of layer-wise relevance propagation, which conserves what it passes on (Achtibat et al.
    2024). ReLU, BatchNorm with running statistics and everything linear stay as they are, to the bit.

    Args:
        images: the input; what is computed from it is an activation.

    Attributes:
        replaced: how often each function was replaced, by its name.
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.replaced: Counter[str] = Counter()
        self._held: dict[int, Tensor] = {}  # alive, so that an id stands for one tensor
        self._active: set[int] = set()
        self._before: dict[int, tuple[str, Tensor]] = {}
        self._marked(images, active=True)

    @override
    def __torch_function__(
        self, func: Function, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named, name = dict(kwargs or {}), _plain_name(func)
        active = [value for value in _flat([*args, *named.values()]) if self._is_active(value)]
        if not active:
            return self._marked(func(*args, **named), active=False)
        if name in _COMPOSITES:
            with self:
                return _COMPOSITES[name](*args, **named)
        before = active[0].clone() if _in_place(func) and name in _SQUASHING else active[0]
        replacement = self._replacement(name, func, args, named)
        if replacement is None:
            result = func(*args, **named)
        else:
            self.replaced[name] += 1
            result = replacement()
            if (_in_place(func) or named.get("inplace")) and result is not args[0]:
                result = args[0].copy_(result)
        if name == "setitem":
            self._marked(args[0], active=True)
        if len(active) == 1 and result is not before and name in _SQUASHING | _RESHAPING | _OF_PROBABILITIES:
            self._before[id(result)] = (name, before)
        return self._marked(result, active=True)

    def unsquashed(self, outputs: Any) -> tuple[Any, bool]:
        """Return the outputs of the network before a softmax or sigmoid at its end, and whether there is one.

        Reshaping after it is left out too, which changes no sum of outputs.
        """
        if isinstance(outputs, Mapping):
            pairs = [self.unsquashed(value) for value in outputs.values()]
            return dict(zip(outputs, (value for value, _ in pairs), strict=True)), any(found for _, found in pairs)
        if isinstance(outputs, tuple | list):
            pairs = [self.unsquashed(value) for value in outputs]
            return tuple(value for value, _ in pairs), any(found for _, found in pairs)
        before, place = outputs, outputs
        while id(place) in self._before:
            name, place = self._before[id(place)]
            if name in _SQUASHING:
                before = place
                self.replaced -= Counter([name])
        return before, before is not outputs

    def _replacement(
        self, name: str, func: Function, args: tuple[Any, ...], named: dict[str, Any]
    ) -> Callable[[], Any] | None:
        """Return what is computed instead; None where the function stays."""
        if name in _RECTIFIERS:
            return partial(torch.relu, args[0])
        if name in _IDENTITIES:
            return partial(torch.clone, args[0])
        if name in _GATES:
            return partial(gate, func, *args, **named)
        if name == "normalize":
            return partial(secant, func, *args, **named)
        if name in _CONSTANTS:
            return lambda: _detached(func(*args, **named))
        if name in _QUOTIENTS and self._is_active(args[1]):
            return lambda: func(args[0], args[1].detach(), *args[2:], **named)
        if name in _PRODUCTS:
            factors = [n for n, value in enumerate(args) if self._is_active(value) and value.requires_grad]
            product = getattr(torch, name) if _in_place(func) else func
            return partial(shared, product, factors, args, named) if len(factors) > 1 else None
        return without_upper_bound(name, args, named) or normalization(name, args, named)

    def _is_active(self, value: Any) -> bool:
        if not isinstance(value, Tensor):
            return False
        # What a function computed that cannot be seen, such as a scripted one, was computed from activations.
        return id(value) in self._active or (id(value) not in self._held and value.grad_fn is not None)

    def _marked(self, result: Any, *, active: bool) -> Any:
        for value in _flat([result]):
            if isinstance(value, Tensor):
                self._held[id(value)] = value
                (self._active.add if active else self._active.discard)(id(value))
        return result


def _plain_name(func: Function) -> str:
    """Return the name of a function or method; `mul_`, `__mul__` and `mul` are one."""
    return getattr(func, "__name__", "").strip("_").removeprefix("special_")


def _in_place(func: Function) -> bool:
    name = getattr(func, "__name__", "")
    return name.endswith("_") and not name.startswith("_")


def _flat(values: Any) -> list[Any]:
    """Return the values in nested lists and tuples."""
    return [each for value in values for each in (_flat(value) if isinstance(value, tuple | list) else [value])]


def _detached(result: Any) -> Any:
    return result.detach() if isinstance(result, Tensor) else tuple(part.detach() for part in result)
