"""ONNX: graphs that ONNX Runtime computes, in floating point or in int8."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from sparsescope.checkpoints.kinds.base import Kind, Opened, Request, digest_of
from sparsescope.checkpoints.kinds.onnx_weights import sparsity_of
from sparsescope.errors import ArtefactError
from sparsescope.modules import RuntimeModule

__all__ = ["Onnx"]

_LACK = "ONNX Runtime gives no gradients"
_OPAQUE = "ONNX Runtime gives no access to its layers"


class Onnx(Kind):
    """A graph with its weights: only its predictions can be had."""

    name: ClassVar[str] = "ONNX"
    how: ClassVar[str] = "`torch.onnx.export(network, images, 'network.onnx')`, also after ONNX Runtime's quantization"
    packages: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime")
    extra: ClassVar[str] = "onnx"
    measured: ClassVar[str] = "predictions: accuracy, mCE, OoD, ECE, SCE, NLL, LIME"

    @override
    def recognizes(self, path: Path) -> bool:
        return path.suffix == ".onnx" and path.is_file()

    @override
    def read(self, request: Request) -> Opened:
        import onnx

        graph = onnx.load(request.path, load_external_data=False).graph
        files = [request.path, *_external(graph, request.path)]
        digest = digest_of(*files)
        module = OnnxModule(request.path.resolve(), digest)
        module.check()
        return Opened(
            module,
            f"ONNX graph {graph.name}" if graph.name else "ONNX graph",
            digest,
            lacks={"gradients": _LACK, "activations": _OPAQUE},
            sparsity=sparsity_of(request.path),
            bytes=sum(file.stat().st_size for file in files),
            warnings=module.notes,
        )


class OnnxModule(RuntimeModule):
    """A network whose forward pass ONNX Runtime computes on the CPU; it is opened anew in every process.

    Args:
        path: the file.
        digest: SHA-256 of the file and those that hold its weights.
    """

    def __init__(self, path: Path, digest: str) -> None:
        import onnxruntime

        super().__init__(f"{digest} {onnxruntime.__version__}")
        self.path, self._session, self._threads = path, None, 0

    @property
    def session(self) -> Any:
        """The session, with as many threads as torch has."""
        import onnxruntime

        if self._session is None or self._threads != torch.get_num_threads():
            options = onnxruntime.SessionOptions()
            self._threads = options.intra_op_num_threads = torch.get_num_threads()
            options.log_severity_level = 4  # errors are raised
            providers = ["CPUExecutionProvider"]
            self._session = onnxruntime.InferenceSession(self.path, options, providers=providers, enable_fallback=0)
        return self._session

    @property
    def batch(self) -> int | None:
        """The one size of batches that it takes; None for any."""
        size = self.session.get_inputs()[0].shape[0]
        return size if isinstance(size, int) else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of its inputs and outputs."""
        outputs = [output.name for output in self.session.get_outputs()]
        notes = []
        if len(outputs) > 1:
            notes.append(f"returns {len(outputs)} outputs ({', '.join(outputs[:4])}): the first is read")
        if self.batch is not None:
            notes.append(f"takes batches of {self.batch} images alone: others are cut and filled up")
        return tuple(notes)

    def check(self) -> None:
        """Raise ArtefactError unless it takes images in floating point, channels first, and nothing else."""
        inputs = self.session.get_inputs()
        shapes = [f"{each.name}: {each.type} {each.shape}" for each in inputs]
        first = inputs[0] if inputs else None
        if first is None or len(inputs) > 1 or first.type != "tensor(float)" or len(first.shape) != 4:
            raise ArtefactError(
                f"{self.path.name}: expected one input, images (N, C, H, W) in float32, but got {'; '.join(shapes)}. "
                "Export the classifier alone, without what prepares its images."
            )

    @override
    def forward(self, images: Tensor) -> Tensor:
        values = images.detach().cpu().float().numpy()
        size = self.batch or len(values)
        name, answers = self.session.get_inputs()[0].name, []
        for start in range(0, len(values), size):
            batch = values[start : start + size]
            filled = np.concatenate([batch, np.repeat(batch[-1:], size - len(batch), axis=0)])
            answers.append(self.session.run(None, {name: filled})[0][: len(batch)])
        return torch.from_numpy(np.concatenate(answers)).to(images.device)


def _external(graph: Any, path: Path) -> list[Path]:
    """Return the files beside it that hold weights; raises ArtefactError for one elsewhere."""
    tensors = [*graph.initializer, *(attribute.t for node in graph.node for attribute in node.attribute)]
    names = {entry.value for tensor in tensors for entry in tensor.external_data if entry.key == "location"}
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ArtefactError(f"{path} names weights outside of its folder ({name}), which are not read.")
    return [path.parent / name for name in sorted(names)]
