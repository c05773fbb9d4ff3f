"""sparsescope's own checkpoint: weights with all that is needed to use them again."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError
from sparsescope.files import replacing
from sparsescope.preprocessing import Preprocessing
from sparsescope.values import is_whole

__all__ = ["CHECKPOINT_FORMAT", "Details", "parse_details", "save_checkpoint"]

CHECKPOINT_FORMAT = "sparsescope.checkpoint/1"


@dataclass(frozen=True)
class Details:
    """What a checkpoint of ours says beside weights and mask.

    Args:
        architecture: its specification.
        architecture_options: keywords of the architecture's function.
        preprocessing: normalisation and input size; None where not stored.
        task: data specification and class names, JSON-able.
        history: how the weights came about, JSON-able.
        output: how logits are read from what the network returns, as `Classifier.output`; None where not stored.
    """

    architecture: str | None = None
    architecture_options: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None
    task: Mapping[str, Any] = field(default_factory=dict)
    history: Any = None
    output: str | int | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the outputs; empty where they are not stored."""
        names = self.task.get("classes")
        return tuple(map(str, names)) if isinstance(names, list) else ()


def save_checkpoint(
    path: str | Path,
    classifier: Classifier,
    *,
    architecture: str,
    architecture_options: Mapping[str, Any] | None = None,
    size: int | None = None,
    task: Mapping[str, Any] | None = None,
    history: Mapping[str, Any] | Sequence[Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint that `torch.load(path, weights_only=True)` can read; the file appears complete or not at all.

    The mask is written where it removes something: a dense network has none.

    Args:
        path: where to write.
        classifier: network, mask, normalisation and output; weights that the mask removes should be zero.
        architecture: the specification that builds the network.
        architecture_options: keywords given to the architecture's function; the numbers of classes and input channels
            need not be given, they are read from the weights.
        size: height and width of the images in pixels.
        task: JSON-able: the data specification under `data`, the class names under `classes`.
        history: JSON-able: what was done, such as one entry per epoch.
        training: state from which training goes on: plain values and tensors. Readers of models pass over it.

    Raises:
        TypeError: a value is not JSON-able.
        InputError: the file cannot be written.

    Example:
        >>> import torch
        >>> from sparsescope import Classifier, save_checkpoint
        >>> from sparsescope.architectures.digits_cnn import digits_cnn
        >>> save_checkpoint("dense.pt", Classifier(digits_cnn()), architecture="digits_cnn")
        >>> sorted(torch.load("dense.pt", weights_only=True))
        ['architecture', 'architecture_options', 'format', 'history', 'preprocessing', 'state_dict', 'task']
    """
    mask = classifier.mask
    document: dict[str, Any] = {
        "format": CHECKPOINT_FORMAT,
        "architecture": architecture,
        "architecture_options": _plain(architecture_options or {}),
        "state_dict": {name: t.detach().cpu().clone() for name, t in classifier.module.state_dict().items()},
        "preprocessing": _plain({"mean": list(classifier.mean), "std": list(classifier.std), "size": size}),
        "task": _plain(task or {}),
        "history": _plain(history),
    }
    if classifier.output != "logits":
        document["output"] = classifier.output
    if mask is not None and mask.sparsity > 0:
        document["mask"] = dict(mask)
    if training is not None:
        document["training"] = dict(training)
    with replacing(path) as partial:
        content = io.BytesIO()  # writing to the disk itself, torch hides a full one behind an error of its archive
        torch.save(document, content)
        partial.write_bytes(content.getbuffer())


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))  # as a reader will find it: no tuples, no subclasses


def parse_details(document: Mapping[str, Any], path: Path) -> Details:
    """Return what a checkpoint of ours says beside its tensors.

    Raises:
        ArtefactError: it is of another version, lacks its weights, or a field has the wrong type.
    """
    if document["format"] != CHECKPOINT_FORMAT:
        raise ArtefactError(
            f"{path} has the format {document['format']!r}, and this version of sparsescope reads "
            f"{CHECKPOINT_FORMAT!r}. Update sparsescope, or save the state_dict alone."
        )
    expected = {"architecture": str, "architecture_options": dict, "state_dict": dict, "mask": dict, "task": dict}
    for name, kind in expected.items():
        value = document.get(name, kind())
        if not isinstance(value, kind):
            raise ArtefactError(f"{path}: expected {name!r} to be a {kind.__name__}, but got {type(value).__name__}.")
    if not any(isinstance(tensor, Tensor) for tensor in document.get("state_dict", {}).values()):
        raise ArtefactError(f"{path} has the format {CHECKPOINT_FORMAT}, but no tensors under 'state_dict'.")
    return Details(
        document.get("architecture") or None,
        document.get("architecture_options", {}),
        _parse_preprocessing(document.get("preprocessing"), path),
        document.get("task", {}),
        document.get("history"),
        _parse_output(document.get("output"), path),
    )


def _parse_output(value: Any, path: Path) -> str | int | None:
    if value is None or isinstance(value, str):
        return value
    if is_whole(value):
        return int(value)
    raise ArtefactError(f"{path}: expected 'output' to be a form, an index or a key, but got {value!r}.")


def _parse_preprocessing(value: Any, path: Path) -> Preprocessing | None:
    if value is None:
        return None
    try:
        mean, std = (tuple(float(number) for number in value[name]) for name in ("mean", "std"))
        size = value.get("size")
        if len(mean) != len(std) or not mean or min(std) <= 0 or not isinstance(size, int | None):
            raise ValueError("lengths differ, a std is not positive, or the size is no integer")
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ArtefactError(
            f"{path}: expected 'preprocessing' to hold mean, std (numbers per channel, std > 0) and size, but got "
            f"{value!r}."
        ) from error
    return Preprocessing(mean, std, size)
