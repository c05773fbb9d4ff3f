"""Parameters that a network has under several names: files hold them under one of these, or under all."""

from dataclasses import replace

import torch
from torch import nn

from sparsescope.checkpoints.layout import Artefact
from sparsescope.errors import ArtefactError
from sparsescope.mask import Mask

__all__ = ["absent_names", "tied_names", "untied"]


def tied_names(module: nn.Module) -> list[list[str]]:
    """Return the names of every parameter that has several, the first one first."""
    found: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        found.setdefault(id(parameter), []).append(name)
    return [names for names in found.values() if len(names) > 1]


def absent_names(module: nn.Module, artefact: Artefact) -> set[str]:
    """Return names that a file may lack, as it has the parameter under another name: safetensors drops duplicates."""
    held = artefact.tensors.keys()
    return {name for names in tied_names(module) if not held.isdisjoint(names) for name in names} - held


def untied(module: nn.Module, artefact: Artefact) -> Artefact:
    """Return the artefact with a mask under any of a parameter's names applied to all, and named by the first.

    Raises:
        ArtefactError: weights or masks under two names of one parameter differ.
    """
    tensors, masks = dict(artefact.tensors), dict(artefact.mask or {})
    for names in tied_names(module):
        kept = [masks.pop(name) for name in names if name in masks]
        if kept:
            masks[names[0]] = kept[0]
            tensors |= {name: torch.where(kept[0], tensors[name], 0) for name in names if name in tensors}
        held = [tensors[name] for name in names if name in tensors]
        if any(not torch.equal(other, each[0]) for each in (kept, held) for other in each[1:]):
            raise ArtefactError(
                f"{artefact.path} holds different values for {' and '.join(names)}, which are one parameter of the "
                "network. Save the weights of the network as it is."
            )
    return replace(artefact, tensors=tensors, mask=artefact.mask and Mask(masks, method=artefact.mask.method))
