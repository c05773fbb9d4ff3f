"""Ids of the Hugging Face hub, whose folders are read from the local cache and never downloaded."""

from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from sparsescope.checkpoints.kinds.base import Kind, Opened, Request
from sparsescope.checkpoints.kinds.hugging_face import HuggingFace
from sparsescope.checkpoints.kinds.timm import Timm
from sparsescope.errors import ArtefactError

__all__ = ["Hub"]


class Hub(Kind):
    """A folder of the hub that was downloaded before, of transformers or of timm."""

    name: ClassVar[str] = "Hugging Face hub"
    how: ClassVar[str] = "`hf download ORG/NAME`; then `hf-hub:ORG/NAME`, or `hf-hub:ORG/NAME@REVISION`"
    packages: ClassVar[tuple[str, ...]] = ("huggingface_hub",)
    extra: ClassVar[str] = "transformers"
    prefix: ClassVar[str] = "hf-hub:"
    prunable: ClassVar[bool] = True

    @override
    def recognizes(self, path: Path) -> bool:
        return False

    @override
    def read(self, request: Request) -> Opened:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        name, _, revision = request.place.partition("@")
        try:
            folder = Path(snapshot_download(name, revision=revision or None, local_files_only=True))
        except (HFValidationError, LocalEntryNotFoundError) as error:
            raise ArtefactError(
                f"hf-hub:{request.place} is not in the local cache, and nothing is downloaded unasked. If it is on the "
                f"hub, download it with: hf download {name}."
            ) from error
        kind = next((kind for kind in (Timm(), HuggingFace()) if kind.recognizes(folder)), None)
        if kind is None:
            raise ArtefactError(
                f"hf-hub:{request.place} has no config.json of transformers or timm in the local cache ({folder}). "
                f"Download all of it with: hf download {name}."
            )
        return kind.open(Request(str(folder)))
