"""Whole networks that were pickled, which run code when they are read."""

from pathlib import Path
from typing import ClassVar

import torch
from torch import nn
from typing_extensions import override

from sparsescope.checkpoints.kinds.base import Kind, Opened, Request, digest_of
from sparsescope.errors import ArtefactError

__all__ = ["PickledModule"]


class PickledModule(Kind):
    """A network with references to its classes, which must be importable; read only where the user trusts the file."""

    name: ClassVar[str] = "pickled network"
    how: ClassVar[str] = "`torch.save(network, 'network.pt')`; read with `--trust-pickle` only, as it may run any code"
    trusted_only: ClassVar[bool] = True

    @override
    def recognizes(self, path: Path) -> bool:
        if not path.is_file():
            return False
        try:
            return bool(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        except Exception:  # no file of torch
            return False

    @override
    def read(self, request: Request) -> Opened:
        module = torch.load(request.path, map_location="cpu", weights_only=False)
        if not isinstance(module, nn.Module):
            keys = f" with keys {list(module)[:8]}" if isinstance(module, dict) else ""
            raise ArtefactError(
                f"{request.path} holds a {type(module).__name__}{keys}: expected a whole network. Save "
                "torch.save(network, …), or the weights alone: torch.save(network.state_dict(), …)."
            )
        return Opened(module, type(module).__qualname__, digest_of(request.path))
