"""`.pt2`: programs of torch.export."""

import contextlib
import copyreg
import io
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from torch.export.unflatten import UnflattenedModule
from typing_extensions import override

from sparsescope.archives import is_archive
from sparsescope.checkpoints.kinds.base import Kind, Opened, Request, digest_of
from sparsescope.checkpoints.kinds.members import members_of
from sparsescope.checkpoints.kinds.vetting import vetted_program
from sparsescope.errors import ArtefactError
from sparsescope.mask import account_by_names
from sparsescope.modules import FixedBatch

__all__ = ["ExportedProgram"]

_CONTENT = "_sparsescope_content"


class ExportedProgram(Kind):
    """A graph of operations with its weights, as `torch.export.save` writes it; the modules in it are built again."""

    name: ClassVar[str] = "torch.export program"
    how: ClassVar[str] = "`torch.export.save(torch.export.export(network, …), 'network.pt2')`"
    measured: ClassVar[str] = "all that its graph allows; in int8 predictions alone"

    @override
    def recognizes(self, path: Path) -> bool:
        return path.is_file() and is_archive(path) and any(n.endswith("/archive_format") for n in members_of(path))

    @override
    def read(self, request: Request) -> Opened:
        import torch.ao.quantization.fx._decomposed  # registers the operations of programs in int8

        content = vetted_program(request.path)
        with _quiet():
            program = torch.export.load(content)
        images = _image_input(program, request.path)
        network = _network(program, content.getvalue())
        module: nn.Module = network if isinstance(images[0], torch.SymInt) else FixedBatch(network, int(images[0]))
        integers = any("quantize" in str(node.target) for node in program.graph.nodes)
        lacks = {"gradients": "its operations round to whole numbers, which have no gradients"} if integers else {}
        return Opened(
            module,
            self.name,
            digest_of(request.path),
            sparsity=account_by_names(dict(network.named_parameters())),
            lacks=lacks,  # type: ignore[arg-type]
            warnings=_warnings(images),
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's reader from printing the traceback of what is told in one line."""
    logger = logging.getLogger("torch.export")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _network(program: Any, content: bytes) -> UnflattenedModule:
    """Return the modules of a program; they are sent to other processes, and copied, as the file's content."""
    network = torch.export.unflatten(program)
    _without_input_checks(network)
    vars(network)[_CONTENT] = content
    return network


def _reread(content: bytes) -> UnflattenedModule:
    return _network(torch.export.load(io.BytesIO(content)), content)


def _stored(network: UnflattenedModule) -> tuple[Any, ...]:
    if (content := vars(network).get(_CONTENT)) is None:
        raise pickle.PicklingError("a program that was not read from a file cannot be sent to other processes")
    return _reread, (content,), network.state_dict(), None, None, _with_state


def _with_state(network: UnflattenedModule, state: dict[str, Any]) -> None:
    network.load_state_dict(state)


copyreg.pickle(UnflattenedModule, _stored)


def _image_input(program: Any, path: Path) -> Any:
    """Return the shape of the one input; raises ArtefactError where there are others."""
    names = set(program.graph_signature.user_inputs)
    shapes = [node.meta["val"].shape for node in program.graph.nodes if node.name in names and "val" in node.meta]
    if len(names) != 1 or len(shapes) != 1 or len(shapes[0]) != 4:
        raise ArtefactError(
            f"{path}: expected a program of one input, images (N, C, H, W), but got {len(names)} inputs "
            f"{[tuple(shape) for shape in shapes]}. Export the classifier alone."
        )
    return shapes[0]


def _without_input_checks(network: nn.Module) -> None:
    """Take away what compares inputs with those of the export: our own messages say what does not fit."""
    for attribute in ("_check_input_constraints", "check_input_constraints"):
        if hasattr(network, attribute):
            setattr(network, attribute, False)


def _warnings(images: Any) -> tuple[str, ...]:
    if isinstance(images[0], torch.SymInt):
        return ()
    return (
        f"takes batches of {int(images[0])} images alone, as it was exported without a dynamic batch: others are cut "
        "and filled up, which takes longer",
    )
