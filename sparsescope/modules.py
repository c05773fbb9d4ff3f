"""Modules as users hand them over: wrapped, compiled, lazy, quantized, in another precision."""

import copy
import copyreg
import io
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from sparsescope.errors import ArtefactError

__all__ = [
    "CONVERTED",
    "FixedBatch",
    "RuntimeModule",
    "bare",
    "differentiable",
    "measurable",
    "refuse_without_values",
    "uncompiled",
]

_COMPILED = "_orig_mod"
_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, torch.optim.swa_utils.AveragedModel)


def _stored_script(module: torch.jit.ScriptModule) -> tuple[Any, ...]:
    return _loaded_script, (_script_bytes(module),)


def _script_bytes(module: torch.jit.ScriptModule) -> bytes:
    stored = io.BytesIO()
    torch.jit.save(module, stored)
    return stored.getvalue()


def _loaded_script(content: bytes) -> torch.jit.ScriptModule:
    loaded: torch.jit.ScriptModule = torch.jit.load(io.BytesIO(content))  # type: ignore[no-untyped-call]
    return loaded


for _kind in (
    torch.jit._script.RecursiveScriptModule,
    torch.jit._trace.TopLevelTracedModule,
    torch.jit._trace.TracedModule,
):
    copyreg.pickle(_kind, _stored_script)  # torch pickles none of them, and workers get their models so


class RuntimeModule(nn.Module):
    """A network that another runtime computes: it has no parameters, and its sessions stay in their process.

    Args:
        digest: what decides its answers: of its files, and the runtime's version.
    """

    def __init__(self, digest: str) -> None:
        super().__init__()
        self.digest = digest

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {name: None if name == "_session" else value for name, value in vars(self).items()}

    def __deepcopy__(self, memo: dict[int, Any]) -> "RuntimeModule":
        """Return itself: it holds nothing that could be changed."""
        return self


class FixedBatch(nn.Module):
    """A network that takes batches of one size: others are cut, and filled up with their last image.

    Args:
        network: takes (size, C, H, W).
        size: of its batches.
    """

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        self.network, self.size = network, size

    @override
    def forward(self, images: Tensor) -> Any:
        answers = []
        for batch in torch.split(images, self.size):
            missing = self.size - len(batch)
            whole = torch.cat([batch, batch[-1:].expand(missing, *batch.shape[1:])]) if missing else batch
            answer = self.network(whole)
            if not isinstance(answer, Tensor):
                raise TypeError(f"a program for batches of {self.size} images must return one tensor of logits")
            answers.append(answer[: len(batch)])
        return torch.cat(answers)


def bare(module: nn.Module) -> tuple[nn.Module, str]:
    """Return the network inside of torch.compile, DataParallel and the like, and what its weights' names lose.

    It is the same object, with the same weights. A wrapper with hooks of its own, which would be lost, stays.

    Example:
        >>> from torch import nn
        >>> from sparsescope.modules import bare
        >>> bare(nn.DataParallel(nn.Flatten()))
        (Flatten(start_dim=1, end_dim=-1), 'module.')
    """
    prefix = ""
    while not (module._forward_hooks or module._forward_pre_hooks):
        attribute = "module" if isinstance(module, _WRAPPERS) else _COMPILED
        inner = dict(module.named_children()).get(attribute)
        if inner is None:
            break
        module, prefix = inner, f"{prefix}{attribute}."
    return module, prefix


def uncompiled() -> AbstractContextManager[object]:
    """Return a context in which what is compiled runs as it was written: compiled graphs have no second derivatives.

    It costs microseconds, and nothing is compiled before torch's compiler was imported.
    """
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


def differentiable(images: int) -> AbstractContextManager[object]:
    """Return a context in which the gradient of a forward pass of so many images is right on a CPU.

    torch's batch norm takes the gradient of a batch of one for contiguous where it is transposed, as it is below a
    layer that makes tokens of maps, and returns another one (seen with torch 2.14; larger batches are right).
    """
    return _ContiguousGradients() if images == 1 and torch.is_grad_enabled() else nullcontext()


class _ContiguousGradients(TorchFunctionMode):
    """Lets batch norm see contiguous gradients alone, in modules and functional calls; TorchScript runs past it."""

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") == "batch_norm" and isinstance(answer, Tensor) and answer.requires_grad:
            answer.register_hook(lambda gradient: gradient.contiguous())  # type: ignore[no-untyped-call]
        return answer


def refuse_without_values(module: nn.Module) -> None:
    """Raise ArtefactError if weights have no values yet, or none that gradients could follow.

    So it is in lazy layers never called, on the device `meta`, and in frozen TorchScript.
    """
    for name, tensor in _tensors(module):
        if isinstance(tensor, nn.UninitializedParameter | nn.UninitializedBuffer):
            raise ArtefactError(
                f"{name} has no shape yet, as its layer is lazy: show the network a batch of images first."
            )
        if tensor.is_meta:
            raise ArtefactError(
                f"{name} is on the device meta, which holds no values: build the network on another device, or use "
                "to_empty() and load its weights."
            )
    if isinstance(module, torch.jit.ScriptModule) and not hasattr(module, "training"):
        raise ArtefactError(
            "The network was frozen by torch.jit.freeze, which makes constants of its weights: give the network as it "
            "was before."
        )


def measurable(module: nn.Module) -> tuple[nn.Module, str | None]:
    """Return a network in float32 whose weights can take gradients, and what was changed; None where nothing was.

    Where something must change it is a copy, and the module stays as it is: weights of another precision, or made in
    torch.inference_mode(). torch's own deep copies of TorchScript are no leaves of autograd: they are copied again.
    """
    tensors = [tensor for _, tensor in _tensors(module)]
    kinds = {str(tensor.dtype).removeprefix("torch.") for tensor in tensors if tensor.is_floating_point()}
    others = " and ".join(sorted(kinds - {"float32"}))
    frozen = [tensor for tensor in tensors if tensor.is_inference()]
    changed = None
    if frozen or others:
        with torch.inference_mode(False):
            own: dict[int, object] = {id(tensor): _normal(tensor) for tensor in frozen}
            module = copy.deepcopy(module, own).float()
        changed = f"has weights in {others}; {CONVERTED}" if others else _INFERENCE
    if isinstance(module, torch.jit.ScriptModule) and not all(parameter.is_leaf for parameter in module.parameters()):
        module = _loaded_script(_script_bytes(module))
    return module, changed


CONVERTED = "a copy in float32 is measured"
"""What is said of a network of another precision."""
_INFERENCE = "was made in torch.inference_mode(), which has no gradients; a copy of its weights is measured"


def _normal(tensor: Tensor) -> Tensor:
    """Return a copy, made outside of inference mode."""
    copied = tensor.clone()
    return nn.Parameter(copied, tensor.is_floating_point()) if isinstance(tensor, nn.Parameter) else copied


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return chain(module.named_parameters(), module.named_buffers())
