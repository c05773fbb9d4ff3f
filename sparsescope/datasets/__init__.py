"""Data by SPEC: one file per source of images, and one line in `SOURCES` with everything that others need to know.

To add a source: write one file with a function `(argument, resizing) -> Source`, and add its line to `SOURCES`
(docs/how-to/add-a-data-set.md). Help texts, checkpoints that name their data and the choice of a training recipe follow
from that line. Other packages add theirs by an entry point of the group `sparsescope.datasets`,
`SCHEME = "package.module:ENTRY"`, where ENTRY is a `DataEntry`. Images with labeled concepts have a catalogue of their
own: `probes/`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sparsescope.lazy import lazy
from sparsescope.specs import USER_FORMS, Catalogue, Entry

if TYPE_CHECKING:
    from sparsescope.datasets.open import open_benchmark, open_images
    from sparsescope.datasets.probes.open import open_probe

__all__ = [
    "FAR",
    "SOURCES",
    "ClassesBy",
    "DataEntry",
    "open_benchmark",
    "open_images",
    "open_probe",
    "runs_user_code",
    "usual_recipe",
]

ClassesBy = Literal["name", "number"]
"""How outputs belong to labels: by the names of the classes where both sides have some, or by their numbers alone."""


@dataclass(frozen=True)
class DataEntry(Entry):
    """A source of images.

    Args:
        labeled: whether its images have the labels of a classification task; without them they are for `--ood` alone.
        recipe: name of the training recipe that is usual for it; None where there is none.
    """

    labeled: bool = True
    recipe: str | None = None


_HERE = "sparsescope.datasets"
SOURCES = Catalogue(
    "data",
    {
        "digits": DataEntry(
            "digits",
            f"{_HERE}.digits:open_digits",
            "scikit-learn's embedded digits, 1 × 32 × 32: 800 test and 997 training images of 10 classes",
            recipe="digits",
        ),
        "letters": DataEntry(
            "letters",
            f"{_HERE}.letters:open_letters",
            "letters of matplotlib's fonts, drawn like `digits`, whose out-of-distribution set they are",
            labeled=False,
        ),
        "cifar10": DataEntry(
            "cifar10:DIR",
            f"{_HERE}.cifar:open_cifar10",
            "CIFAR-10, the published Python files: test and training images",
            recipe="cifar",
        ),
        "cifar100": DataEntry(
            "cifar100:DIR",
            f"{_HERE}.cifar:open_cifar100",
            "CIFAR-100, the published Python files: test and training images, fine labels",
            recipe="cifar",
        ),
        "folder": DataEntry(
            "folder:DIR",
            f"{_HERE}.image_folder:open_folder",
            "image files in one sub-folder per class, or `test/` and `train/` of such; for `--ood` also side by side",
            looks_like=Path.is_dir,
        ),
        "imagenet": DataEntry(
            "imagenet:DIR",
            f"{_HERE}.imagenet:open_imagenet",
            "class folders named by synset, or `val/` and `train/` of such; any of the 1,000 classes",
            recipe="imagenet",
        ),
        "imagenet-a": DataEntry(
            "imagenet-a:DIR",
            f"{_HERE}.imagenet:open_imagenet_a",
            "ImageNet-A, a test set of 200 classes; the models' outputs are cut to them",
        ),
        "imagenet-r": DataEntry(
            "imagenet-r:DIR",
            f"{_HERE}.imagenet:open_imagenet_r",
            "ImageNet-R, a test set of 200 classes; the models' outputs are cut to them",
        ),
        "imagenet-o": DataEntry(
            "imagenet-o:DIR",
            f"{_HERE}.imagenet:open_imagenet_o",
            "ImageNet-O, beside `imagenet:DIR`, judged on the outputs of its 200 classes",
            labeled=False,
        ),
        "noise": DataEntry(
            "noise:KIND",
            f"{_HERE}.noise:open_noise",
            "noise, `uniform`, `gaussian` or `gaussian-0.25`, drawn in the shape of the test images",
            labeled=False,
        ),
        "textures": DataEntry(
            "textures",
            f"{_HERE}.textures:open_textures",
            "stripes, checks, clouds and other patterns, drawn in the shape of the test images",
            labeled=False,
        ),
        "npz": DataEntry(
            "npz:FILE",
            f"{_HERE}.arrays:open_npz",
            "arrays `images`, `labels` (not needed for `--ood`) and, if you like, `classes`, in one NumPy archive",
            looks_like=lambda path: path.suffix == ".npz",
        ),
        **{
            form: DataEntry(
                form,
                f"{_HERE}.user:open_user",
                "your own function, which returns (images, labels), an `ImageSet` or a `Benchmark`",
                runs_user_code=True,
            )
            for form in USER_FORMS
        },
    },
    group="sparsescope.datasets",
)
FAR = ("noise:uniform", "noise:gaussian", "textures")
"""Out-of-distribution sets for data that has none of its own: far from any photograph, and never a download."""


def runs_user_code(spec: str) -> bool:
    """Return whether opening a data SPEC runs code that it names itself; raises OptionError for an unknown form."""
    return SOURCES.find(spec)[0].runs_user_code


def usual_recipe(spec: str) -> str | None:
    """Return the training recipe that is usual for a data SPEC, if any; raises OptionError for an unknown form."""
    return SOURCES.find(spec)[0].recipe


_HOMES = {"open_benchmark": "open", "open_images": "open", "open_probe": "probes.open"}
# Resolved on first use, so that reading the catalogue (for help texts) does not import torch.

__getattr__, __dir__ = lazy(__name__, _HOMES)
