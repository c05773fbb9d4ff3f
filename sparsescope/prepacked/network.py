"""What answers in a network's place where no gradient is asked for."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, fx, nn
from typing_extensions import override

from sparsescope.outputs.reading import OutputReader
from sparsescope.prepacked.capture import NotCapturedError, captured
from sparsescope.prepacked.rewrite import fold_norms, pack_convolutions

__all__ = ["PrepackedNetwork", "is_candidate"]

FEWEST = 8
"""Convolutions from which on it pays: capturing takes as long as some thousand passes of a tiny network."""


def is_candidate(module: nn.Module) -> bool:
    """Return whether a network is worth the try, by a rule: the same for dense and sparse, on any day.

    It runs on the CPU with oneDNN, has at least 8 convolutions, all weights in float32, and no hooks, which a graph
    would pass by.
    """
    children = list(module.modules())
    tensors = [*module.parameters(), *module.buffers()]
    return (
        bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
        and sum(isinstance(child, nn.Conv2d) for child in children) >= FEWEST
        and not any(isinstance(child, torch.jit.ScriptModule) for child in children)
        and not any(child._forward_hooks or child._forward_pre_hooks for child in children)
        and all(tensor.device.type == "cpu" and not tensor.is_inference() for tensor in tensors)
        and {tensor.dtype for tensor in tensors if tensor.is_floating_point()} == {torch.float32}
    )


@dataclass(frozen=True)
class _State:
    """What a network was like when its graph was made: its tensors, how often they had been written, and its hooks."""

    tensors: tuple[Tensor, ...]
    hooks: tuple[dict[int, Any], ...]
    versions: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, module: nn.Module) -> "_State":
        tensors = (*module.parameters(), *module.buffers())
        hooks = [each for child in module.modules() for each in (child._forward_hooks, child._forward_pre_hooks)]
        return cls(tensors, tuple(hooks), _versions(tensors))

    def holds(self) -> bool:
        return not any(self.hooks) and _versions(self.tensors) == self.versions


def _versions(tensors: tuple[Tensor, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((tensor.data_ptr(), tensor._version) for tensor in tensors)


@dataclass
class PrepackedNetwork:
    """A network's answers from its graph, rewritten. It is built at the first call, in every process anew.

    Args:
        module: the network, in eval mode on the CPU.
        reader: what reads the values from its output.
        shape: (C, H, W) of the images.
    """

    KIND: ClassVar[str] = "prepacked"
    VERSION: ClassVar[int] = 1
    """Raised whenever its numbers change, so that older cached results are not used."""

    module: nn.Module
    reader: OutputReader
    shape: tuple[int, ...]
    _built: tuple[fx.GraphModule, _State] | None = field(default=None, init=False, repr=False)

    def __call__(self, images: Tensor) -> Tensor | None:
        """Return the values (N, ...) that the reader reads of what the network returns for normalised images.

        None for what only the network itself can answer: images of another shape or type; and all, where its weights
        are not what they were at the first call, or somebody hooked one of its layers.

        Raises:
            NotCapturedError: the network cannot be written down as a graph.
        """
        if self._built is None:
            self._built = _rewritten(self.module, self.reader, self.shape), _State.of(self.module)
        graph, state = self._built
        if not (len(images) and images.shape[1:] == self.shape and images.dtype == torch.float32 and state.holds()):
            return None
        values: Tensor = graph(images)
        return values

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_built": None}


def _rewritten(module: nn.Module, reader: OutputReader, shape: tuple[int, ...]) -> fx.GraphModule:
    with torch.inference_mode(False), torch.no_grad():
        found = captured(module, reader, shape)
        fold_norms(found)
        if not pack_convolutions(found):
            raise NotCapturedError("it has no convolution whose weights can be packed")
        graph, tensors = found
        graph.eliminate_dead_code()
        return fx.GraphModule(tensors, graph)
