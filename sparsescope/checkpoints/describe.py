"""What is in an artefact: for people to look at, also where no architecture is known."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sparsescope.checkpoints.folding import fill
from sparsescope.checkpoints.kinds import Kind, Request, kind_of
from sparsescope.checkpoints.layout import Artefact, open_artefact, readings
from sparsescope.checkpoints.load import load_classifier, normalisation
from sparsescope.checkpoints.network import find_network
from sparsescope.checkpoints.values import conversion_warnings, narrow_warnings, sparsity_warnings, value_problems
from sparsescope.classifier import Capability, Classifier
from sparsescope.errors import ArtefactError
from sparsescope.macs import count_macs
from sparsescope.mask import LayerSparsity, Mask, Sparsity, account_by_names
from sparsescope.preprocessing import Preprocessing

__all__ = ["Description", "describe"]


@dataclass(frozen=True)
class Description:
    """What is in an artefact.

    Args:
        path: the file.
        sha256: of its bytes.
        format: `"torch"`, `"safetensors"` or `"npz"`.
        kind: `"sparsescope checkpoint"`, `"state dict"` or `"mask"`.
        layout: what was undone to get at the tensors.
        architecture: its specification; None where none is known.
        tensors: number of tensors.
        parameters: number of parameters; of a mask, number of entries.
        nonzero: how many of them are not removed.
        has_mask: whether the file says which weights are kept.
        sparsity_prunable: fraction removed of the prunable weights; of a mask, of its own entries.
        sparsity_total: fraction removed of all parameters; None for a mask, which does not know them.
        layers: per prunable weight tensor.
        mean, std: normalisation; None where unknown.
        history: how the weights came about, in short; None where not stored.
        warnings: what the user should know.
        architecture_guessed: whether nothing but names and shapes says what the architecture is.
        normalization: what mean and std come from, in words.
        output: how logits are read from what the network returns, where our own checkpoint says it.
        bytes: size of the file, or of all files that belong to it; None where unknown.
        macs: multiply-accumulate operations for one image; None where they cannot be counted, or no size is known.
        image: (C, H, W) of that image.
        lacks: what cannot be measured of it, and why.
    """

    path: str
    sha256: str
    format: str
    kind: str
    layout: tuple[str, ...]
    architecture: str | None
    tensors: int
    parameters: int
    nonzero: int
    has_mask: bool
    sparsity_prunable: float
    sparsity_total: float | None
    layers: tuple[LayerSparsity, ...]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    history: str | None
    warnings: tuple[str, ...]
    architecture_guessed: bool = False
    normalization: str | None = None
    output: str | int | None = None
    bytes: int | None = None
    macs: int | None = None
    image: tuple[int, int, int] | None = None
    lacks: Mapping[Capability, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return plain dictionaries, lists, strings and numbers."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document


def describe(
    path: str | Path, arch: str | None = None, weights: str | None = None, *, trust_pickle: bool = False
) -> Description:
    """Return what is in a file of weights, of a mask, of both, or in an artefact that holds its network.

    Where no architecture is known, weights are the tensors of two or more axes whose names end in `weight`, and the
    last of them is taken for the head.

    Args:
        path: the file.
        arch: architecture specification; found as `find_network` does without it.
        weights: which of several state dicts in the file (see `load_classifier`).
        trust_pickle: whether the file may be a whole pickled network, which can run any code when it is read.

    Raises:
        ArtefactError: the file cannot be read, or does not fit `arch`.
        OptionError: `arch` names nothing.
    """
    if (found := kind_of(path, trust_pickle=trust_pickle)) is not None:
        return _of_network(*found, load_classifier(path, trust_pickle=trust_pickle))
    return _of_tensors(path, arch, weights)


def _of_network(kind: Kind, request: Request, classifier: Classifier) -> Description:
    """Describe an artefact that says itself how its network is built."""
    sparsity, origin = classifier.sparsity, classifier.origin
    described = Description(
        path=request.place,
        sha256=origin.sha256 or "",
        format=kind.name,
        kind="network",
        layout=(),
        architecture=origin.architecture,
        tensors=len(classifier.module.state_dict()),
        parameters=sparsity.parameters,
        nonzero=sparsity.nonzero,
        has_mask=False,
        sparsity_prunable=sparsity.prunable,
        sparsity_total=sparsity.total,
        layers=sparsity.layers,
        mean=tuple(classifier.mean),
        std=tuple(classifier.std),
        history=None,
        warnings=classifier.warnings,
        normalization=origin.normalization,
        output=None if classifier.output == "logits" else classifier.output,
        bytes=origin.bytes,
        lacks=dict(classifier.lacks),
    )
    return _with_macs(described, classifier, origin.stated)


def _with_macs(described: Description, classifier: Classifier, preprocessing: Preprocessing | None) -> Description:
    size = None if preprocessing is None else preprocessing.size
    if size is None:
        return described
    image = (classifier.channels or 3, size, size)
    macs = count_macs(classifier, image)
    return described if macs is None else replace(described, macs=macs, image=image)


def _of_tensors(path: str | Path, arch: str | None, weights: str | None) -> Description:
    artefact = open_artefact(path, weights)
    if artefact.kind == "mask":
        return _of_mask(artefact)
    try:
        network, artefact = find_network(artefact, arch)
    except ArtefactError as error:
        if arch is not None:
            raise
        return _of_unknown(list(readings(artefact))[-1], str(error), architecture=artefact.details.architecture)
    problems = value_problems(artefact.tensors, network.module)
    if problems:
        return _of_unknown(artefact, *problems, architecture=network.spec)
    fill(network.module, artefact.tensors)
    preprocessing, source, noticed = normalisation(artefact, network)
    classifier = Classifier(network.module, preprocessing.mean, preprocessing.std, mask=artefact.mask)
    about_network = (*network.open_questions(artefact), *narrow_warnings(network.narrowed, network.spec))
    noticed = (*about_network, *noticed, *sparsity_warnings(classifier))
    description = _description(artefact, classifier.sparsity, network.spec, preprocessing, noticed)
    description = replace(description, architecture_guessed=network.guessed, normalization=source)
    return _with_macs(description, classifier, preprocessing)


def _description(
    artefact: Artefact,
    sparsity: Sparsity,
    architecture: str | None,
    preprocessing: Preprocessing | None,
    noticed: tuple[str, ...],
) -> Description:
    return Description(
        path=str(artefact.path),
        sha256=artefact.sha256,
        format=artefact.format,
        kind=artefact.kind,
        layout=artefact.layout,
        architecture=architecture,
        tensors=len(artefact.tensors) or len(artefact.mask or ()),
        parameters=sparsity.parameters,
        nonzero=sparsity.nonzero,
        has_mask=artefact.mask is not None,
        sparsity_prunable=sparsity.prunable,
        sparsity_total=None if artefact.kind == "mask" else sparsity.total,
        layers=sparsity.layers,
        mean=preprocessing.mean if preprocessing else None,
        std=preprocessing.std if preprocessing else None,
        history=_summary(artefact.details.history),
        output=artefact.details.output,
        warnings=(*artefact.warnings, *conversion_warnings(artefact.tensors), *noticed),
        bytes=artefact.bytes,
    )


def _of_mask(artefact: Artefact) -> Description:
    mask = artefact.mask or Mask({})
    size = sum(kept.numel() for kept in mask.values())
    nonzero = sum(int(kept.sum()) for kept in mask.values())
    layers = tuple(LayerSparsity.of(name, kept) for name, kept in mask.items())
    return _description(artefact, Sparsity(size, nonzero, mask.sparsity, mask.sparsity, layers), None, None, ())


def _of_unknown(artefact: Artefact, *reasons: str, architecture: str | None) -> Description:
    """Describe by names and shapes alone."""
    sparsity = account_by_names(artefact.tensors, artefact.mask)
    return _description(artefact, sparsity, architecture, artefact.details.preprocessing, reasons)


def _summary(history: Any) -> str | None:
    if not history:
        return None
    if isinstance(history, list):
        return f"{len(history)} entries, last: {_summary(history[-1])}" if len(history) > 1 else _summary(history[0])
    if isinstance(history, dict):
        return ", ".join(f"{key} {value}" for key, value in history.items() if not isinstance(value, dict | list))
    return str(history)
