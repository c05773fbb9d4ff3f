"""Mask: which weights survive."""

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from sparsescope.errors import ArtefactError
from sparsescope.files import write_atomically

__all__ = ["MASK_FORMAT", "Mask"]

MASK_FORMAT = "sparsescope.mask/1"


class Mask(Mapping[str, Tensor]):
    """Parameter name -> bool tensor of the parameter's shape, True where the weight is kept.

    Args:
        tensors: bool tensors, or tensors that hold only 0 and 1.
        method: how the mask was made, such as `"omp"`; kept in the file's metadata.

    Raises:
        ArtefactError: a tensor holds anything but 0 and 1; the text names it.

    Example:
        >>> import torch
        >>> from sparsescope import Mask
        >>> from torch import nn
        >>> layer = nn.Linear(4, 2)
        >>> mask = Mask({"weight": torch.tensor([[1, 0, 0, 1], [0, 0, 1, 1]])}, method="by hand")
        >>> mask.apply(layer)
        >>> mask, int((layer.weight != 0).sum())
        (Mask(1 tensors, sparsity 0.500), 4)
    """

    def __init__(self, tensors: Mapping[str, Tensor], *, method: str | None = None) -> None:
        self._tensors = {name: _as_bool(name, tensor) for name, tensor in tensors.items()}
        self.method = method

    @classmethod
    def from_zeros(cls, parameters: Mapping[str, Tensor], *, method: str | None = None) -> "Mask":
        """Return the mask that keeps exactly the non-zero entries of `parameters`."""
        return cls({name: tensor.detach() != 0 for name, tensor in parameters.items()}, method=method)

    @override
    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    @override
    def __len__(self) -> int:
        return len(self._tensors)

    @override
    def __repr__(self) -> str:
        return f"Mask({len(self)} tensors, sparsity {self.sparsity:.3f})"

    @property
    def sparsity(self) -> float:
        """Fraction of the mask's own entries that are removed."""
        total = sum(tensor.numel() for tensor in self._tensors.values())
        kept = sum(int(tensor.sum()) for tensor in self._tensors.values())
        return 1 - kept / total if total else 0.0

    def check(self, module: nn.Module) -> None:
        """Raise ArtefactError, naming every offending tensor, unless the mask fits the module's parameters."""
        parameters = dict(module.named_parameters())
        problems = []
        for name, tensor in self.items():
            if name not in parameters:
                problems.append(f"{name}: the network has no such parameter")
            elif tensor.shape != parameters[name].shape:
                problems.append(f"{name}: mask {tuple(tensor.shape)}, network {tuple(parameters[name].shape)}")
        if problems:
            raise ArtefactError(
                f"The mask does not fit the network ({len(problems)} of {len(self)} tensors):\n  "
                + "\n  ".join(problems[:8])
                + (f"\n  … and {len(problems) - 8} more" if len(problems) > 8 else "")
                + f"\n{self._advice(parameters)}"
            )

    def _advice(self, parameters: Mapping[str, Tensor]) -> str:
        plain = {_without_wrapper(name) for name in parameters}
        if not self.keys() & parameters.keys() and all(_without_wrapper(name) in plain for name in self):
            return (
                "The names differ by the prefix of a wrapper alone (torch.compile, DataParallel): make and apply the "
                "mask with the same object, best the network itself."
            )
        return "Give the mask of this architecture, or the architecture of this mask with --arch."

    def apply(self, module: nn.Module) -> None:
        """Set the removed weights of `module` to zero, in place; raises ArtefactError if the mask does not fit."""
        self.check(module)
        parameters = dict(module.named_parameters())
        with torch.no_grad():
            for name, tensor in self.items():
                parameters[name].masked_fill_(~tensor.to(parameters[name].device), 0)

    def save(self, path: str | Path) -> None:
        """Write the mask complete, or not at all (InputError): `.npz` holds arrays of bool, all else is safetensors."""
        from safetensors.torch import save

        if Path(path).suffix == ".npz":
            content = io.BytesIO()
            arrays: dict[str, Any] = {name: kept.numpy() for name, kept in self.items()}
            np.savez_compressed(content, **arrays)
            write_atomically(path, content.getvalue())
            return
        metadata = {"format": MASK_FORMAT, "method": self.method or "", "sparsity": json.dumps(self.sparsity)}
        write_atomically(path, save({name: kept.contiguous().to(torch.uint8) for name, kept in self.items()}, metadata))


def _without_wrapper(name: str) -> str:
    return name.replace("_orig_mod.", "").removeprefix("module.")


def _as_bool(name: str, tensor: Tensor) -> Tensor:
    values = tensor.detach().cpu()
    values = values if values.layout == torch.strided else values.to_dense()
    if values.dtype == torch.bool:
        return values.clone()
    kept = values != 0
    if not bool((values[kept] == 1).all()):
        raise ArtefactError(
            f"Expected mask tensor {name!r} to hold only 0 and 1, but it holds "
            f"{float(values[kept & (values != 1)].flatten()[0]):g}. Is this a weight file rather than a mask?"
        )
    return kept
