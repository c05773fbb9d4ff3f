"""TorchScript: networks of torch.jit.script and torch.jit.trace."""

from pathlib import Path
from typing import ClassVar

import torch
from typing_extensions import override

from sparsescope.archives import is_archive
from sparsescope.checkpoints.kinds.base import Kind, Opened, Request, digest_of
from sparsescope.checkpoints.kinds.members import members_of
from sparsescope.checkpoints.kinds.vetting import vetted_script
from sparsescope.mask import account_by_names

__all__ = ["TorchScript"]


class TorchScript(Kind):
    """A network with its code in a language of torch's own, which its interpreter runs."""

    name: ClassVar[str] = "TorchScript"
    how: ClassVar[str] = "`torch.jit.script(network).save('network.ts')`, or `torch.jit.trace`"
    measured: ClassVar[str] = "all but compositional neurons"

    @override
    def recognizes(self, path: Path) -> bool:
        return path.is_file() and is_archive(path) and any(n.endswith("/constants.pkl") for n in members_of(path))

    @override
    def read(self, request: Request) -> Opened:
        vetted_script(request.path)
        module = torch.jit.load(request.path, map_location="cpu")  # type: ignore[no-untyped-call]
        return Opened(
            module,
            f"TorchScript of {module.original_name}",
            digest_of(request.path),
            sparsity=account_by_names(dict(module.named_parameters())),
            lacks={"activations": "TorchScript gives no access to its layers"},
        )
