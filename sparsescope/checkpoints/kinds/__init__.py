"""Kinds of artefacts that hold a network, each read by the library made for it: one file, and one line in `KINDS`.

What holds weights alone (state dicts, masks, our own checkpoint) is read by `checkpoints.read`.
"""

from pathlib import Path

from sparsescope.checkpoints.kinds.base import Kind, Opened, Request
from sparsescope.checkpoints.kinds.exported import ExportedProgram
from sparsescope.checkpoints.kinds.hub import Hub
from sparsescope.checkpoints.kinds.hugging_face import HuggingFace
from sparsescope.checkpoints.kinds.onnx import Onnx
from sparsescope.checkpoints.kinds.pickled import PickledModule
from sparsescope.checkpoints.kinds.timm import Timm
from sparsescope.checkpoints.kinds.torchscript import TorchScript

__all__ = ["KINDS", "Kind", "Opened", "Request", "kind_of"]

KINDS: tuple[Kind, ...] = (ExportedProgram(), TorchScript(), Onnx(), HuggingFace(), Timm(), Hub(), PickledModule())
"""All kinds; the first that recognizes an artefact reads it."""


def kind_of(model: str | Path, *, trust_pickle: bool = False) -> tuple[Kind, Request] | None:
    """Return the kind of an artefact and what is asked of it; None for weights, masks, and what is not there."""
    text = str(model)
    for kind in KINDS:
        if kind.prefix and text.startswith(kind.prefix):
            return kind, Request(text.removeprefix(kind.prefix), trust_pickle)
    try:
        known = (kind for kind in KINDS if trust_pickle or not kind.trusted_only)
        found = next((kind for kind in known if kind.recognizes(Path(model))), None)
    except OSError:
        return None  # whoever reads it will tell why
    return None if found is None else (found, Request(text, trust_pickle))
