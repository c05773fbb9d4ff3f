"""From plain content to weights and mask: finds the state dict and undoes what wrappers and pruning tools did to it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from sparsescope.checkpoints.native import Details, parse_details
from sparsescope.checkpoints.read import Content, read
from sparsescope.errors import ArtefactError
from sparsescope.mask import MASK_FORMAT, Mask

__all__ = ["Artefact", "open_artefact"]

_WEIGHT_KEYS = ("state_dict", "model_state_dict", "model", "net")
_MASK_KEYS = ("mask", "masks")
LIGHTNING = "pytorch-lightning_version"  # a key that only checkpoints of (PyTorch) Lightning have
_DEEPEST = 4  # levels of nesting followed
_SHOWN_KEYS = 8

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Artefact:
    """Weights, a mask, or both, as a file holds them.

    Args:
        path: the file.
        sha256: of its bytes.
        format: `"torch"`, `"safetensors"` or `"npz"`.
        kind: `"sparsescope checkpoint"`, `"state dict"` or `"mask"`.
        tensors: the state dict by the network's own names, dense; empty for a mask file.
        mask: which weights are kept, where the file says so.
        details: what only our own checkpoint says.
        layout: what was undone, in words.
        warnings: what the user should know.
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

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape by name of the state dict's tensors."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}


def open_artefact(path: str | Path) -> Artefact:
    """Read a weight file, a mask file or a checkpoint.

    Raises:
        ArtefactError: the file cannot be read safely, or holds neither weights nor a mask.
    """
    path = Path(path)
    content = read(path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    artefact = Artefact(path, sha256, content.format, "state dict", {}, None, Details())
    if content.metadata.get("format") == MASK_FORMAT:
        return _as_mask(artefact, _tensors(content.value), method=content.metadata.get("method"))
    if isinstance(content.value, dict) and str(content.value.get("format", "")).startswith("sparsescope.checkpoint/"):
        artefact = replace(artefact, kind="sparsescope checkpoint", details=parse_details(content.value, path))
    tensors, masks, layout = _find(content, path)
    if isinstance(content.value, dict) and LIGHTNING in content.value:
        tensors, undone = _without_wrapper(tensors)
        layout += undone
    if artefact.kind != "state dict":
        layout = ()  # the nesting is the format's own
    if not masks and _only_zeros_and_ones(tensors):
        return _as_mask(replace(artefact, layout=layout), tensors)
    return _with_weights(replace(artefact, layout=layout), tensors, masks)


def _find(content: Content, path: Path) -> tuple[Tensors, Tensors, tuple[str, ...]]:
    """Return the tensors of the innermost state dict, those of a mask stored beside it, and what was unwrapped."""
    value = content.value
    masks: Tensors = {}
    layout: list[str] = []
    while isinstance(value, Mapping) and len(layout) < _DEEPEST:
        for key in _MASK_KEYS:
            masks = masks or _tensors(value.get(key))
        inner = next((key for key in _WEIGHT_KEYS if isinstance(value.get(key), Mapping) and value[key]), None)
        if inner is None:
            break
        layout.append(f"nested under {inner!r}")
        value = value[inner]
    tensors = _tensors(value)
    if not tensors and not masks:
        raise ArtefactError(_nothing_found(value, path))
    return (tensors, masks, tuple(layout)) if tensors else (masks, {}, ("nested under 'mask'",))


def _nothing_found(value: object, path: Path) -> str:
    found = f"a {type(value).__name__}"
    if isinstance(value, Mapping):
        keys = ", ".join(repr(key) for key in list(value)[:_SHOWN_KEYS])
        found = f"a dictionary with the keys {keys}" if keys else "an empty dictionary"
    return (
        f"Expected {path} to hold a state dict (tensors by name), bare or under one of {', '.join(_WEIGHT_KEYS)}, but "
        f"it holds {found}. Save it with torch.save(model.state_dict(), 'weights.pt')."
    )


def _tensors(value: object) -> Tensors:
    """Return the named tensors of a dictionary, dense; whatever else is in it (counters, settings) is passed over."""
    if not isinstance(value, Mapping):
        return {}
    tensors = {
        name: item.detach() for name, item in value.items() if isinstance(name, str) and isinstance(item, Tensor)
    }
    return {name: item if item.layout == torch.strided else item.to_dense() for name, item in tensors.items()}


def _only_zeros_and_ones(tensors: Tensors) -> bool:
    return all(
        not tensor.is_quantized and not tensor.is_meta and bool(((tensor == 0) | (tensor == 1)).all())
        for tensor in tensors.values()
    )


def _plain_names(tensors: Tensors) -> tuple[Tensors, list[str]]:
    """Return the tensors without the prefixes that DataParallel and torch.compile put before every name."""
    undone = []
    if any("_orig_mod." in name for name in tensors):
        tensors = {name.replace("_orig_mod.", ""): tensor for name, tensor in tensors.items()}
        undone.append("'_orig_mod.' removed from the names")
    while tensors and all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
        undone.append("'module.' removed from the names")
    return tensors, undone


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


def _as_mask(artefact: Artefact, tensors: Tensors, method: str | None = None) -> Artefact:
    tensors, undone = _plain_names(tensors)
    mask = _mask(artefact.path, tensors, method)
    return replace(artefact, kind="mask", mask=mask, layout=(*artefact.layout, *undone))


def _mask(path: Path, tensors: Tensors, method: str | None = None) -> Mask:
    try:
        return Mask({_masked_parameter(name): tensor for name, tensor in tensors.items()}, method=method or None)
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {error}") from error


def _masked_parameter(name: str) -> str:
    """Return the parameter of a mask tensor: `a.weight_mask`, `a.weight.mask`, `a.mask`, `a.weight` -> `a.weight`."""
    if name.endswith(".mask"):
        name = name.removesuffix(".mask")
        return name if name.rpartition(".")[2] in ("weight", "bias") else f"{name}.weight"
    return name.removesuffix("_mask")


def _with_weights(artefact: Artefact, tensors: Tensors, masks: Tensors) -> Artefact:
    tensors, undone = _plain_names(tensors)
    originals = {name.removesuffix("_orig") for name in tensors if name.endswith("_orig")}
    weights: Tensors = {}
    masks = dict(_plain_names(masks)[0])
    for name, tensor in tensors.items():
        base = _masked_parameter(name)
        beside = base in tensors and (name.endswith("_mask") or tensors[base].shape == tensor.shape)
        if base != name and (base in originals or beside):
            masks[base] = tensor
        else:
            weights[name.removesuffix("_orig")] = tensor
    mask = _mask(artefact.path, masks) if masks else None
    for name in sorted(originals - set(mask or {})):
        raise ArtefactError(
            f"{artefact.path} has {name}_orig but no {name}_mask. Expected both, as torch.nn.utils.prune writes them: "
            "call prune.remove on the layer and save the state dict again."
        )
    if originals:
        undone.append(f"{len(originals)} pairs of weight_orig and weight_mask merged")
    layout = (*artefact.layout, *undone)
    if mask is None:
        return replace(artefact, tensors=weights, layout=layout)
    weights, changed = _masked(artefact.path, weights, mask)
    warning = _changed_warning({name: count for name, count in changed.items() if name not in originals})
    return replace(artefact, tensors=weights, mask=mask, layout=layout, warnings=warning)


def _masked(path: Path, tensors: Tensors, mask: Mask) -> tuple[Tensors, dict[str, int]]:
    """Return the tensors without the weights that the mask removes, and how many of those were not zero, by name."""
    masked, changed = dict(tensors), {}
    for name, kept in mask.items():
        weight = tensors.get(name)
        if weight is None or weight.shape != kept.shape:
            came = "there is no such weight" if weight is None else f"the weight has shape {tuple(weight.shape)}"
            raise ArtefactError(
                f"{path}: the mask of {name} has shape {tuple(kept.shape)}, but {came}. Expected one mask entry for "
                "each weight."
            )
        changed[name] = int((weight[~kept] != 0).sum())
        masked[name] = torch.where(kept, weight, torch.zeros((), dtype=weight.dtype))
    return masked, changed


def _changed_warning(changed: Mapping[str, int]) -> tuple[str, ...]:
    layers = [name for name, count in changed.items() if count]
    if not layers:
        return ()
    return (
        f"mask and weights disagree: {sum(changed.values())} weights that the mask removes are not zero in the file "
        f"({len(layers)} tensors, first {layers[0]} with {changed[layers[0]]}); they were set to zero. If the weights "
        "are right, save them without the mask.",
    )
