"""Architectures of other packages: torchvision and timm."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from sparsescope.architectures.architecture import Architecture
from sparsescope.architectures.records import published
from sparsescope.errors import OptionError
from sparsescope.preprocessing import IMAGENET, Preprocessing

if TYPE_CHECKING:
    from torch import nn

__all__ = ["open_timm", "open_torchvision", "torchvision_names"]


def torchvision_names() -> list[str]:
    """Return the names of torchvision's classification architectures."""
    from torchvision import models

    return list(models.list_models(module=models))


def open_torchvision(name: str) -> Architecture:
    """Return a classification architecture of torchvision; raises OptionError if there is none of this name."""
    from torchvision import models

    spec = f"torchvision:{name}"
    if name not in torchvision_names():
        raise OptionError(f"torchvision has no classification architecture {name!r}.{_near(spec, torchvision_names())}")
    # These two warn unless told how to initialise, of which False is their announced default; and their published
    # weights are for images that the network itself normalizes once more.
    own = {"init_weights": False, "transform_input": True} if name in ("googlenet", "inception_v3") else {}
    records = published(spec)

    def build(num_classes: int = 1000) -> "nn.Module":
        network: nn.Module = models.get_model(name, weights=None, num_classes=num_classes, **own)
        return network

    def build_with_heads(num_classes: int = 1000, aux_logits: bool = True) -> "nn.Module":
        network: nn.Module = models.get_model(name, weights=None, num_classes=num_classes, aux_logits=aux_logits, **own)
        return network

    usual = records[0].preprocessing if records else IMAGENET
    return Architecture(spec, build_with_heads if own else build, Preprocessing(usual.mean, usual.std, usual.size))


def open_timm(name: str) -> Architecture:
    """Return an architecture of timm; raises OptionError if there is none of this name."""
    import timm

    spec = f"timm:{name}"
    if ":" in name or not timm.is_model(name.partition(".")[0]):  # "hf-hub:…" would ask the network
        raise OptionError(f"timm has no architecture {name!r}.{_near(spec, timm.list_models())}")
    try:
        known = timm.get_pretrained_cfg(name, allow_unregistered=True)
    except RuntimeError as error:
        tags = timm.list_pretrained(f"{name.partition('.')[0]}.*")
        raise OptionError(f"{error} Known: {', '.join(f'timm:{tagged}' for tagged in tags)}.") from error

    def build(num_classes: int | None = None, in_channels: int = 3) -> "nn.Module":
        classes: dict[str, Any] = {} if num_classes is None else {"num_classes": num_classes}
        network: nn.Module = timm.create_model(name, pretrained=False, in_chans=in_channels, **classes)
        return network

    preprocessing = known and Preprocessing(tuple(known.mean), tuple(known.std), known.input_size[-1])
    return Architecture(spec, build, preprocessing or None)


def _near(spec: str, names: Iterable[str]) -> str:
    library, _, name = spec.partition(":")
    near = get_close_matches(name, names, n=5, cutoff=0.5)
    return f" Did you mean {', '.join(f'{library}:{other}' for other in near)}?" if near else ""
