"""What torchvision and timm record of the weights that they publish: preprocessing, classes. Nothing is downloaded."""

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from sparsescope.preprocessing import Preprocessing

__all__ = ["Published", "published", "record_of"]

_DIGEST = re.compile(r"-([0-9a-f]{8,64})\.pth$")  # torchvision's file names end in the start of the file's SHA-256


@dataclass(frozen=True)
class Published:
    """Weights that a library publishes.

    Args:
        name: how the library calls them, with the library's name.
        preprocessing: how their images are resized, cropped and normalized.
        outputs: their number of outputs.
        classes: names of the outputs; None where the library does not say them.
        digest: first hexadecimal digits of the file's SHA-256; empty where unknown.
    """

    name: str
    preprocessing: Preprocessing
    outputs: int
    classes: tuple[str, ...] | None = None
    digest: str = ""


def record_of(spec: str | None, sha256: str | None) -> Published | None:
    """Return the record of a file's weights: known by the file's SHA-256, or by the tag in `timm:NAME.TAG`."""
    library, _, name = (spec or "").partition(":")
    known = published(spec or "")
    if library == "timm" and "." in name:
        return next((weights for weights in known if weights.name.endswith(f" {name}")), None)
    return next((w for w in known if w.digest and sha256 is not None and sha256.startswith(w.digest)), None)


def published(spec: str) -> tuple[Published, ...]:
    """Return the records of all weights that are published for an architecture; none for those of others."""
    library, _, name = spec.partition(":")
    if library == "torchvision":
        return _of_torchvision(name)
    return _of_timm(name.partition(".")[0]) if library == "timm" else ()


@cache
def _of_torchvision(name: str) -> tuple[Published, ...]:
    from torchvision import models

    if name not in models.list_models(module=models):
        return ()
    found = []
    for weights in models.get_model_weights(name):
        classes = tuple(weights.meta.get("categories") or ())
        digest = _DIGEST.search(weights.url)
        if classes:  # others are for finding features
            record = _of_transform(weights.transforms())
            title = f"torchvision's {type(weights).__name__}.{weights.name}"
            found.append(Published(title, record, len(classes), classes, digest[1] if digest else ""))
    return tuple(found)


def _of_transform(transform: Any) -> Preprocessing:
    return Preprocessing(
        tuple(transform.mean),
        tuple(transform.std),
        transform.crop_size[0],
        transform.resize_size[0],
        transform.interpolation.value,
    )


@cache
def _of_timm(name: str) -> tuple[Published, ...]:
    import timm

    found = []
    for tagged in timm.list_pretrained(f"{name}.*") if timm.is_model(name) else ():
        record: Any = timm.get_pretrained_cfg(tagged)
        size, fraction = record.input_size[-1], record.crop_pct or 1.0
        preprocessing = Preprocessing(
            tuple(record.mean), tuple(record.std), size, math.floor(size / fraction), record.interpolation
        )
        found.append(Published(f"timm's pretrained_cfg of {tagged}", preprocessing, record.num_classes))
    return tuple(found)
