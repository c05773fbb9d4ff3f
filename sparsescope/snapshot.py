"""What a network's tensors were, so that those that its own forward pass changes can be named and put back."""

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

__all__ = ["Snapshot"]


class Snapshot:
    """Copies of a network's buffers, and of its parameters where asked for, on the devices where they are.

    Args:
        module: the network.
        parameters: whether parameters are copied too; they take much more memory than buffers.

    Example:
        >>> from torch import nn
        >>> from sparsescope.snapshot import Snapshot
        >>> layer = nn.BatchNorm1d(2)
        >>> before = Snapshot(layer)
        >>> _ = layer.running_mean.fill_(3)
        >>> before.changed(), before.restore(), layer.running_mean.tolist()
        (['running_mean'], None, [0.0, 0.0])
    """

    def __init__(self, module: nn.Module, *, parameters: bool = False) -> None:
        self._kept: list[tuple[str, nn.Module, str, Tensor, Tensor, Tensor]] = []
        for place, child in module.named_modules():
            own = [*child.named_buffers(recurse=False), *(child.named_parameters(recurse=False) if parameters else ())]
            for name, tensor in own:
                if not is_lazy(tensor):
                    full = f"{place}.{name}" if place else name
                    self._kept.append((full, child, name, tensor, tensor.data, tensor.detach().clone()))

    def changed(self) -> list[str]:
        """Return the names of the tensors that have other values now; those of another shape are caches, no state."""
        return [full for full, child, name, _, _, copy in self._kept if _differs(getattr(child, name, None), copy)]

    def restore(self) -> None:
        """Put the tensors back, the same objects with the values that they had, but for those of another shape now."""
        for _, child, name, tensor, data, copy in self._kept:
            if not _is_alike(now := getattr(child, name, None), copy):
                continue
            with torch.inference_mode():
                if _differs(data, copy):
                    data.copy_(copy)
            if now is not tensor:
                setattr(child, name, tensor)
            if tensor.data_ptr() != data.data_ptr() and tensor.device == data.device:
                tensor.data = data


def _is_alike(now: object, copy: Tensor) -> bool:
    return isinstance(now, Tensor) and now.shape == copy.shape and now.dtype == copy.dtype


def _differs(now: object, copy: Tensor) -> bool:
    """Return whether a tensor of this shape has other values; nan is like nan."""
    if not isinstance(now, Tensor) or not _is_alike(now, copy):
        return False
    now = now.detach().to(copy.device)
    if torch.equal(now, copy):
        return False
    both_nan = now.isnan() & copy.isnan()
    return not bool((both_nan | (now == copy)).all())
