"""What happens inside a network while it answers: kernels that it computes, its last step, weights without a part."""

import contextlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

from sparsescope.mask.kernels import Products

__all__ = ["Squashed", "Trace", "squashed", "trace"]

_SQUASHING = {
    "sigmoid": "sigmoid",
    "special_expit": "sigmoid",
    "hardsigmoid": "hard sigmoid",
    "log_sigmoid_forward": "log-sigmoid",
    "_softmax": "softmax",
    "_log_softmax": "log-softmax",
}
"""Operations of torch whose values are no logits: as the dispatcher calls them -> the standard term."""

_LAST = 8
"""Squashed tensors that are kept: those of several heads, not those of all gates on the way."""


@dataclass(frozen=True)
class Trace:
    """What was seen in one pass.

    Args:
        kernels: layer -> zeros and size of the kernel that it computes from parameters (a mixture of experts, a mask or
            a standardization that is the network's own code), summed over its calls. Constant kernels, such as those
            of a blur, and parts of a parameter are none.
        unused: parameters that the answer does not depend on, such as those of layers that are never called; empty
            where nothing in the answer has a gradient.
    """

    kernels: dict[str, tuple[int, int]]
    unused: tuple[str, ...]


@dataclass(frozen=True)
class Squashed:
    """What sigmoids and softmaxes on the way returned.

    Args:
        answer: what the network returned.
        steps: name of a squashing function and what it returned (n, ...), the last few of them.
    """

    answer: Any
    steps: tuple[tuple[str, Tensor], ...]

    def last_step(self, values: Tensor) -> str | None:
        """Return the squashing function that `values` (n, K) of the answer come from without a further step.

        Columns are compared, so that some of its classes, or several heads side by side, are seen as well.
        """
        columns = _columns(values)
        for name in dict.fromkeys(name for name, _ in self.steps):
            known = {column for step, tensor in self.steps if step == name for column in _columns(tensor.to(values))}
            if columns and len(columns & known) >= 0.9 * len(columns):
                return name
        return None

    def is_function_of_softmax(self, values: Tensor) -> bool:
        """Return whether `values` (n, K) are one increasing function of probabilities, entry by entry."""
        wanted = values.detach().double().cpu().flatten()
        for name, tensor in self.steps:
            found = tensor.double().cpu().flatten()
            if name == "softmax" and len(found) == len(wanted) and len(set(found.tolist())) > len(found) / 2:
                in_order = wanted[found.argsort(stable=True)]
                if bool((in_order.diff() >= 0).all()) and in_order[0] < in_order[-1]:
                    return True
        return False


def trace(module: nn.Module, images: Tensor) -> Trace:
    """Return what is seen in one forward and backward pass.

    Args:
        module: the network, in eval mode.
        images: as it takes them; a few are enough.
    """
    stored = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    kernels: dict[str, tuple[int, int]] = {}
    with _differentiable(module) as parameters, torch.enable_grad():
        with Products() as seen, _entering(module) as places:
            places.counted = seen.kernels
            answer = module(images)
        for name, factor in zip(places.names(len(seen.kernels)), seen.kernels, strict=True):
            if factor.requires_grad and factor.untyped_storage().data_ptr() not in stored:
                zeros, size = kernels.get(name, (0, 0))
                kernels[name] = zeros + int((factor == 0).sum()), size + factor.numel()
        unused: tuple[str, ...] = ()
        with contextlib.suppress(Exception):  # whatever a foreign backward pass raises: nothing is known of the weights
            unused = tuple(_unused(answer, parameters))
    return Trace(kernels, unused)


def squashed(module: nn.Module, images: Tensor) -> Squashed:
    """Return what is squashed in one forward pass; arguments as of `trace`."""
    with torch.no_grad(), _Squashing(len(images)) as seen:  # entering it imports much: only where it is needed
        answer = module(images)
    return Squashed(answer, tuple(seen.last))


class _Squashing(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps the last tensors (n, ...) that a squashing function returned."""

    def __init__(self, images: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.images = images
        self.last: deque[tuple[str, Tensor]] = deque(maxlen=_LAST)

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        name = func._overloadpacket.__name__
        term = _SQUASHING.get(name) or _SQUASHING.get(name.removesuffix("_"))
        if term is not None:
            values = answer[0] if isinstance(answer, tuple) else answer
            if values.ndim and len(values) == self.images:
                self.last.append((term, values.detach().clone()))
        return answer


def _columns(values: Tensor) -> set[bytes]:
    """Return the columns of (n, ...) as bytes, but for those that are 0 or 1 throughout."""
    columns = values.detach().flatten(1).T.contiguous().cpu()
    told = ((columns != 0) & (columns != 1)).any(1)
    return {column.tobytes() for column in columns[told].double().numpy()}


def _unused(answer: Any, parameters: Mapping[str, nn.Parameter]) -> Iterator[str]:
    answers = [part for part in _tensors(answer) if part.requires_grad]
    total = torch.stack([part.float().sum() for part in answers]).sum()
    gradients = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    return (name for name, gradient in zip(parameters, gradients, strict=True) if gradient is None)


def _tensors(answer: Any) -> Iterator[Tensor]:
    """Yield all tensors in what a network returns."""
    if isinstance(answer, Tensor):
        yield answer
    elif isinstance(answer, Mapping):
        for value in answer.values():
            yield from _tensors(value)
    elif isinstance(answer, list | tuple):
        for value in answer:
            yield from _tensors(value)


@contextlib.contextmanager
def _differentiable(module: nn.Module) -> Iterator[dict[str, nn.Parameter]]:
    """Let gradients reach all parameters, which are yielded by name, within the block."""
    parameters = {name: value for name, value in module.named_parameters() if value.is_floating_point()}
    before = [parameter.requires_grad for parameter in parameters.values()]
    try:
        for parameter in parameters.values():
            parameter.requires_grad_(True)
        yield parameters
    finally:
        for parameter, needed in zip(parameters.values(), before, strict=True):
            parameter.requires_grad_(needed)


class _Places:
    """Which layer each kernel was used in: the innermost one that was running."""

    def __init__(self) -> None:
        self.counted: list[Tensor] = []
        self._running: list[str] = []
        self._owners: list[str] = []

    def enter(self, name: str) -> None:
        self._settle()
        self._running.append(name)

    def leave(self) -> None:
        self._settle()
        self._running.pop()

    def names(self, count: int) -> list[str]:
        return (self._owners + [""] * count)[:count]

    def _settle(self) -> None:
        owner = self._running[-1] if self._running else ""
        self._owners += [owner] * (len(self.counted) - len(self._owners))


@contextlib.contextmanager
def _entering(module: nn.Module) -> Iterator[_Places]:
    places, handles = _Places(), []
    try:
        for name, child in module.named_modules():
            if isinstance(child, torch.jit.ScriptModule):  # takes no hooks
                continue
            handles.append(child.register_forward_pre_hook(lambda _, __, name=name: places.enter(name)))
            handles.append(child.register_forward_hook(lambda *_: places.leave()))
        yield places
    finally:
        for handle in handles:
            handle.remove()
