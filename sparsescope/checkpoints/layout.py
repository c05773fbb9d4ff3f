"""From plain content to weights and mask: finds the state dict and undoes what wrappers and pruning tools did to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from sparsescope.checkpoints.containers import find
from sparsescope.checkpoints.folding import folded
from sparsescope.checkpoints.masks import applied, assigned, beside_weights, changed_warning, masked_parameter
from sparsescope.checkpoints.names import Tensors, inner_names, main_part, plain_names
from sparsescope.checkpoints.native import Details, parse_details
from sparsescope.checkpoints.read import read
from sparsescope.errors import ArtefactError
from sparsescope.files import digest_of
from sparsescope.mask import MASK_FORMAT, Mask

__all__ = ["Artefact", "is_ours", "open_artefact", "readings"]

_SHOWN = 4
LIGHTNING = "pytorch-lightning_version"  # a key that only checkpoints of (PyTorch) Lightning have


@dataclass(frozen=True)
class Artefact:
    """Weights, a mask, or both, as a file holds them.

    Args:
        path: the file or folder.
        sha256: of its bytes; see `files.digest_of`.
        format: as `read.Content` has it.
        kind: `"sparsescope checkpoint"`, `"state dict"` or `"mask"`.
        tensors: the state dict by the network's own names, dense; empty for a mask file.
        mask: which weights are kept, where the file says so.
        details: what only our own checkpoint says.
        layout: what was undone, in words.
        warnings: what the user should know.
        buffers: masks that lie among the weights, by their own names: a network may have them too.
        bytes: size of the file, or of the files that a folder's weights lie in.
    """

    path: Path
    sha256: str
    format: str
    kind: str
    tensors: Tensors
    mask: Mask | None
    details: Details
    layout: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    buffers: Tensors = field(default_factory=dict)
    bytes: int | None = None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape by name of the state dict's tensors."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}


def open_artefact(path: str | Path, weights: str | None = None) -> Artefact:
    """Read a weight file, a mask file or a checkpoint.

    Args:
        path: the file, or the folder that holds it.
        weights: which of several state dicts in it; see `containers.find`.

    Raises:
        MissingWeightsError: it has no such state dict.
        ArtefactError: the file cannot be read safely, holds neither weights nor a mask, or leaves open which of its
            tensors are meant.
    """
    path = Path(path)
    content = read(path)
    artefact = Artefact(path, digest_of(*content.files), content.format, "state dict", {}, None, Details())
    artefact = replace(artefact, bytes=sum(file.stat().st_size for file in content.files))
    if content.metadata.get("format") == MASK_FORMAT:
        assert isinstance(content.value, dict)
        return _as_mask(artefact, {"": content.value}, method=content.metadata.get("method"))
    value = content.value
    if is_ours(value):
        artefact = replace(artefact, kind="sparsescope checkpoint", details=parse_details(value, path))
        value = {key: value[key] for key in ("state_dict", "mask") if key in value}
    found = find(value, path, weights)
    if artefact.kind == "state dict":  # otherwise the nesting is the format's own
        artefact = replace(artefact, layout=found.layout, warnings=found.warnings)
    if not found.tensors:
        return _as_mask(artefact, found.masks)
    tensors = found.tensors
    if weights is None and isinstance(value, dict) and LIGHTNING in value:
        tensors, undone = _without_wrapper(tensors)
        artefact = replace(artefact, layout=artefact.layout + undone)
    return _with_weights(artefact, tensors, found.masks)


def is_ours(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a file's content is a checkpoint of ours."""
    return isinstance(value, dict) and str(value.get("format", "")).startswith("sparsescope.checkpoint/")


def readings(artefact: Artefact) -> Iterator[Artefact]:
    """Yield the artefact and further ways to read it, for whoever knows the network: the first that fits is right.

    Masks among the weights are left in, for a network that has them too, and then left out; computed weights come as
    they are stored, for a network that computes them itself, and then as they act; the names as they are, and then
    without what a surrounding module put before them. The last reading is the plainest.
    """
    ways = [artefact]
    if artefact.buffers:
        ways.insert(0, replace(artefact, tensors=artefact.tensors | artefact.buffers))
    tensors, masks, words = folded(artefact.tensors, artefact.mask or {})
    if words:
        mask = _mask(artefact.path, masks) if masks else None
        ways.append(replace(artefact, tensors=tensors, mask=mask, layout=(*artefact.layout, *words)))
    yield from ways
    parts = [part for way in ways if (part := _main_part(way)) is not None]
    inner = [reading for way in ways for reading in _inner(way)]
    for part in parts:
        yield part
        yield from _inner(part)
    yield from inner or (ways[-1:] if parts else ())


def _inner(way: Artefact) -> Iterator[Artefact]:
    for names, word in inner_names(way.tensors):
        yield _renamed(way, names, word)


def _renamed(way: Artefact, names: Mapping[str, str], word: str) -> Artefact:
    """Return the tensors that `names` has, by their new names."""
    mask = way.mask and Mask({names[name]: kept for name, kept in way.mask.items() if name in names})
    inner = {new: way.tensors[name] for name, new in names.items()}
    return replace(way, tensors=inner, mask=mask, layout=(*way.layout, word))


def _main_part(way: Artefact) -> Artefact | None:
    """Return what lies under the attribute that most of the tensors are of, with a word on the others."""
    found = main_part(way.tensors)
    if found is None:
        return None
    prefix, others = found
    listed = ", ".join(list(others)[:_SHOWN])
    word = f"what lies beside {prefix!r} left out: {listed}{', …' if len(others) > _SHOWN else ''}"
    part = _renamed(way, {name: name.removeprefix(prefix) for name in way.tensors.keys() - others.keys()}, word)
    matrices = any(tensor.ndim >= 2 for tensor in others.values())
    return replace(part, warnings=(*way.warnings, *([word] if matrices else [])))


def _without_wrapper(tensors: Tensors) -> tuple[Tensors, tuple[str, ...]]:
    """Return the tensors of the network that a LightningModule holds as its one attribute with weights.

    Whatever else the module holds (a loss's or a metric's buffers) is passed over.
    """
    owners = {name.partition(".")[0] for name, tensor in tensors.items() if tensor.ndim > 1}
    if len(owners) != 1:
        return tensors, ()
    prefix = f"{owners.pop()}."
    kept = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return kept, (f"{prefix!r} of the LightningModule removed from the names",)


def _as_mask(artefact: Artefact, masks: Mapping[str, Tensors], method: str | None = None) -> Artefact:
    (tensors,) = masks.values()
    if all(name.isdecimal() for name in tensors) and len(tensors) > 1:
        raise ArtefactError(
            f"{artefact.path} holds masks without names. Save them as a dictionary with one mask for each parameter's "
            "name."
        )
    tensors, undone = plain_names(tensors)
    mask = _mask(artefact.path, {masked_parameter(name): tensor for name, tensor in tensors.items()}, method)
    return replace(artefact, kind="mask", mask=mask, layout=(*artefact.layout, *undone))


def _mask(path: Path, tensors: Mapping[str, Tensor], method: str | None = None) -> Mask:
    try:
        return Mask(tensors, method=method or None)
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {error}") from error


def _with_weights(artefact: Artefact, tensors: Tensors, collections: Mapping[str, Tensors]) -> Artefact:
    """Merge what pruning tools store in pairs, and apply the masks that lie in the state dict or beside it."""
    tensors, undone = plain_names(tensors)
    pairs = {
        name.removesuffix("_orig"): f"{name.removesuffix('_orig')}_mask"
        for name in tensors
        if name.endswith("_orig") and f"{name.removesuffix('_orig')}_mask" in tensors
    }
    beside = {weight: name for weight, name in beside_weights(tensors).items() if weight not in pairs}
    _check_pairs(artefact.path, tensors, pairs)
    masks = {weight: tensors[name] for weight, name in (pairs | beside).items()}
    used = {*pairs.values(), *beside.values()}
    weights = {
        base if (base := name.removesuffix("_orig")) in pairs else name: tensor
        for name, tensor in tensors.items()
        if name not in used
    }
    layout = [*artefact.layout, *undone]
    if pairs:
        layout.append(f"{len(pairs)} pairs of weight_orig and weight_mask merged")
    if beside:
        layout.append(f"{len(beside)} masks beside their weights applied, such as {next(iter(beside.values()))}")
    for where, collection in collections.items():
        found = _assigned(artefact.path, collection, weights, where)
        _check_agreement(artefact.path, masks, found, where)
        masks |= found
        if found and artefact.kind == "state dict":
            layout.append(f"{len(found)} masks under {where!r} applied")
    buffers = {name: tensors[name] for name in beside.values()}
    artefact = replace(artefact, tensors=weights, layout=tuple(layout), buffers=buffers)
    if not masks:
        return artefact
    mask = _mask(artefact.path, masks)
    masked, changed = applied(artefact.path, weights, mask)
    acting = {*pairs, *(weight for weight, name in beside.items() if name.rpartition(".")[2].startswith("_"))}
    stored = {name: count for name, count in changed.items() if name not in acting and "parametrizations." not in name}
    warning = changed_warning(stored)  # of others it is the network itself that applies its masks
    return replace(artefact, tensors=masked, mask=mask, warnings=(*artefact.warnings, *warning))


def _check_pairs(path: Path, tensors: Tensors, pairs: Mapping[str, str]) -> None:
    for name in sorted(name for name in tensors if name.endswith("_orig") and name.removesuffix("_orig") not in pairs):
        base = name.removesuffix("_orig")
        if f"{base}_u" not in tensors:  # spectral_norm
            raise ArtefactError(
                f"{path} has {base}_orig but no {base}_mask. Expected both, as torch.nn.utils.prune writes them: call "
                "prune.remove on the layer and save the state dict again."
            )


def _assigned(path: Path, collection: Tensors, weights: Tensors, where: str) -> Tensors:
    try:
        return assigned(collection, weights, where)
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {error}") from error


def _check_agreement(path: Path, masks: Tensors, others: Tensors, where: str) -> None:
    """Two masks of one weight that differ: nobody knows which is the last."""
    for name in sorted(masks.keys() & others.keys()):
        if not torch.equal(masks[name] != 0, others[name] != 0):
            raise ArtefactError(
                f"{path} holds two different masks of {name}, one of them under {where!r}. Save the one that is meant."
            )
