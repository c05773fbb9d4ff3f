"""`imagenet:DIR` and its relatives: folders named by WordNet synset, numbered as models of the 1,000 classes do.

A model's output k is the class whose synset is the k-th in alphabetical order. Folders of some of the classes keep
these numbers, whichever are there. ImageNet-A, -R and -O hold images of, or beside, 200 classes each, and are defined
on a model's outputs for these 200 alone.
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from importlib import resources
from pathlib import Path

from sparsescope.benchmark import ImageSet
from sparsescope.datasets.image_folder import FolderImages, split_folders, sub_folders
from sparsescope.datasets.resizing import Resizing
from sparsescope.datasets.source import WHOLE, Source
from sparsescope.errors import DataError, SparsescopeWarning

__all__ = ["class_names", "open_imagenet", "open_imagenet_a", "open_imagenet_o", "open_imagenet_r", "synsets"]

USUAL = Resizing(256, 224)
"""How ImageNet models are usually evaluated; taken where no --resize and --crop are given."""

SUBSET = 200
_SYNSET = re.compile(r"n\d{8}")


@cache
def synsets() -> tuple[str, ...]:
    """Return the WordNet ids of the 1,000 classes of ILSVRC 2012 (Russakovsky et al. 2015), in label order."""
    return tuple(resources.files("sparsescope.datasets").joinpath("imagenet_synsets.txt").read_text().split())


def open_imagenet(argument: str, resizing: Resizing) -> Source:
    """Return the images of a folder with `val/` (or `test/`) and `train/`, or with the class folders themselves.

    Raises:
        DataError: no such folder, class folders that are no synsets of ILSVRC 2012, or none at all.
    """
    spec, folder = f"imagenet:{argument}", _folder(f"imagenet:{argument}", argument)
    readers: dict[str, Callable[[], ImageSet]] = {
        split: partial(_images, place, f"{spec} (train)" if split == "train" else spec, resizing)
        for split, place in split_folders(folder).items()
    }
    for place in split_folders(folder).values():
        _outputs(place, spec)
    return Source(spec, folder.resolve().name, readers, class_names())


def open_imagenet_a(argument: str, resizing: Resizing) -> Source:
    """Return ImageNet-A, natural adversarial images of 200 classes (Hendrycks et al. 2021a), as a test set of these."""
    return _open_subset("imagenet-a", argument, resizing)


def open_imagenet_r(argument: str, resizing: Resizing) -> Source:
    """Return ImageNet-R, renditions of 200 classes (Hendrycks et al. 2021b), as a test set of these classes."""
    return _open_subset("imagenet-r", argument, resizing)


def open_imagenet_o(argument: str, resizing: Resizing) -> Source:
    """Return ImageNet-O, images of none of the 1,000 classes (Hendrycks et al. 2021a), an out-of-distribution set.

    Its folders are named by the class that each image is mistaken for; the comparison is on the outputs of these 200
    classes, with their validation images as the in-distribution side.
    """
    spec, folder = f"imagenet-o:{argument}", _folder(f"imagenet-o:{argument}", argument)
    outputs = _subset(folder, spec)
    return Source(spec, "imagenet-o", {WHOLE: partial(_images, folder, spec, resizing)}, class_names(), outputs=outputs)


def _open_subset(scheme: str, argument: str, resizing: Resizing) -> Source:
    spec = f"{scheme}:{argument}"
    folder = _folder(spec, argument)
    outputs = _subset(folder, spec)
    numbers = {synsets()[output]: label for label, output in enumerate(outputs)}
    said = f"{spec} (outputs cut to its {len(outputs)} classes)"
    names = tuple(class_names()[output] for output in outputs)
    return Source(spec, scheme, {WHOLE: partial(_images, folder, said, resizing, numbers)}, names, outputs=outputs)


def _images(folder: Path, source: str, resizing: Resizing, numbers: dict[str, int] | None = None) -> FolderImages:
    numbers = numbers or {synset: label for label, synset in enumerate(synsets())}
    present = [name for name in sub_folders(folder) if name in numbers]
    sizes = resizing if resizing else replace(USUAL, grey=resizing.grey)
    return FolderImages(folder, present, source, sizes, labels=[numbers[name] for name in present])


def _outputs(folder: Path, spec: str) -> tuple[int, ...]:
    """Return the model outputs of the class folders, ascending; raises DataError if there are others or none."""
    known = {synset: label for label, synset in enumerate(synsets())}
    found = sub_folders(folder)
    strange = [name for name in found if name not in known]
    if strange or not found:
        listed = f"{len(strange)} are not: {', '.join(strange[:5])}" if strange else "it has no sub-folders"
        hint = "" if any(map(_SYNSET.fullmatch, strange)) else " A folder of other classes is folder:DIR."
        if not found and any(folder.glob("ILSVRC2012_val_*")):
            hint = " Its images lie side by side: sort them into class folders first, by the published ground truth."
        raise DataError(
            f"{spec}: expected class folders named by the synsets of ILSVRC 2012, such as n01440764, in {folder}, but "
            f"{listed}.{hint}"
        )
    return tuple(sorted(known[name] for name in found))


def _subset(folder: Path, spec: str) -> tuple[int, ...]:
    outputs = _outputs(folder, spec)
    if len(outputs) != SUBSET:
        warnings.warn(
            f"{spec}: the published set has {SUBSET} classes, but {folder} has {len(outputs)}; the models are compared "
            "on the outputs of these, and the numbers cannot be held against published ones.",
            SparsescopeWarning,
            stacklevel=2,
        )
    return outputs


def _folder(spec: str, argument: str) -> Path:
    folder = Path(argument).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"{spec}: expected a folder, but {folder} {'is a file' if folder.exists() else 'does not exist'}."
        )
    return folder


@cache
def class_names() -> tuple[str, ...]:
    """Return readable class names in label order."""
    from torchvision.models import ResNet50_Weights

    return tuple(ResNet50_Weights.IMAGENET1K_V2.meta["categories"])
