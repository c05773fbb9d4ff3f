"""A network as a graph of torch's operators that computes what the network computes, on any values."""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from typing_extensions import override

from sparsescope.outputs.reading import OutputReader

__all__ = ["Captured", "NotCapturedError", "arguments_of", "captured"]

_SOME = 4
"""Images in the batch that is traced, and nothing may depend on it."""

Captured = tuple[fx.Graph, dict[str, Tensor]]
"""A graph of one input and one output, and the tensors that it reads by name."""


class NotCapturedError(Exception):
    """The network cannot be written down as a graph; the text says why."""


class _Read(nn.Module):
    """A network and what is read of its output, so that the graph returns one tensor."""

    def __init__(self, network: nn.Module, reader: OutputReader) -> None:
        super().__init__()
        self.network, self.reader = network, reader

    @override
    def forward(self, images: Tensor) -> Tensor:
        return self.reader.values(self.network(images), _SOME)


def captured(network: nn.Module, reader: OutputReader, shape: tuple[int, ...]) -> Captured:
    """Return the graph of a network in eval mode, for any number of images of one shape (C, H, W).

    It is traced without values (`torch.export`): where the network's way depends on them, tracing fails, while a
    recording of one pass would go the same way ever after. A copy is traced, so that nothing is left in the network.

    Args:
        network: in float32 on the CPU.
        reader: what reads the values from its output.
        shape: of an image.

    Raises:
        NotCapturedError: its way depends on values or on the number of images, it is random, or torch cannot tell.
    """
    network = _Read(copy.deepcopy(network), reader).eval()
    batch = torch.zeros(_SOME, *shape)
    try:
        with _quiet(), torch.no_grad():
            program = torch.export.export(network, (batch,), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    except Exception as error:  # whatever a foreign network raises when it meets tensors without values
        raise NotCapturedError(f"{type(error).__name__}: {error}") from error
    signature, graph = program.graph_signature, copy.deepcopy(program.graph)  # one without an owner
    held = {**dict(program.named_parameters()), **dict(program.named_buffers()), **program.constants}
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    tensors: dict[str, Tensor] = {}
    for node in list(graph.nodes):
        if node.op == "placeholder" and node.name in names:
            tensors[node.name] = held[names[node.name]].detach()
            with graph.inserting_before(node):
                node.replace_all_uses_with(graph.get_attr(node.name))
            graph.erase_node(node)
        elif node.op == "placeholder":
            _require_any_number(node, program.range_constraints)
        elif isinstance(node.target, torch._ops.OpOverload) and _is_random(node):
            raise NotCapturedError(f"{node.target} is random")
    if len(signature.output_specs) != 1 or _changes(graph):
        raise NotCapturedError("it changes its own weights or buffers")
    (output,) = (node for node in graph.nodes if node.op == "output")
    output.args = (output.args[0][0],)
    return graph, tensors


def arguments_of(node: fx.Node) -> dict[str, Any]:
    """Return the arguments of an operator by name, those left out by their defaults."""
    operator: Any = node.target
    arguments = operator._schema.arguments
    given = dict(zip([argument.name for argument in arguments], node.args, strict=False))
    return {argument.name: argument.default_value for argument in arguments} | given | node.kwargs


def _is_random(node: fx.Node) -> bool:
    """Return whether an operator draws random numbers; dropout does not in eval mode, and none of a share of 0."""
    operator: Any = node.target
    arguments = arguments_of(node)
    off = arguments.get("train") is False or arguments.get("training") is False or arguments.get("dropout_p") == 0
    return torch.Tag.nondeterministic_seeded in operator.tags and not off


def _changes(graph: fx.Graph) -> bool:
    """Return whether an operator writes into a weight or buffer, or into a view of one."""
    held = {node for node in graph.nodes if node.op == "get_attr"}
    for node in graph.nodes:
        if isinstance(node.target, torch._ops.OpOverload):
            found = arguments_of(node)
            written = [
                each.alias_info.is_write
                for each in node.target._schema.arguments
                if each.alias_info is not None and found[each.name] in held
            ]
            if any(written):
                return True
            if written:
                held.add(node)
    return False


def _require_any_number(node: fx.Node, ranges: Mapping[Any, Any]) -> None:
    """Raise NotCapturedError unless the graph's input may have any number of images."""
    images = node.meta["val"].shape[0] if isinstance(node.meta.get("val"), Tensor) else 0
    found = ranges.get(images.node.expr) if isinstance(images, torch.SymInt) else None
    if found is None or int(found.lower) > 2 or str(found.upper) != "int_oo":
        raise NotCapturedError("its way depends on the number of images")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch says of a failure, and of its own future, to ourselves."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
